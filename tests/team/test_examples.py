"""The deployment examples of configs/deploy: they parse, name only what exists, and hold no secret."""

import configparser
import json
import os
import re
import subprocess
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import mlflow.environment_variables
import prefect
import pytest
import typer
import yaml
from prefect.settings import get_current_settings
from prefect.settings.legacy import _get_settings_fields

from pipeline.cli import app
from pipeline.settings import Settings

#: What Prefect bundles of its workers; found without loading its server.
COLLECTED = Path(prefect.__path__[0]) / "server" / "api" / "collections_data" / "views"
DEPLOY = Path(__file__).parents[2] / "configs" / "deploy"
FILES = sorted(path for path in DEPLOY.rglob("*") if path.is_file())
COMPOSE = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
MANIFESTS = list(yaml.safe_load_all((DEPLOY / "kubernetes" / "landed.yaml").read_text()))
UNITS = {path.stem: path.read_text() for path in (DEPLOY / "systemd").glob("*.service")}
POOLS = {path.stem: json.loads(path.read_text()) for path in (DEPLOY / "pools").glob("*.json")}
#: Names that others document: PostgreSQL's image, AWS's tools, Python, and what an example asks its reader for.
OTHERS = {
    "POSTGRES_USER", "POSTGRES_PASSWORD_FILE", "POSTGRES_INITDB_ARGS", "AWS_SHARED_CREDENTIALS_FILE", "DO_NOT_TRACK",
    "PYTHONUNBUFFERED", "PATH", "HOME", "MPLCONFIGDIR", "LANDED_IMAGE", "PREFECT_PAGE", "MLFLOW_HOSTS",
}  # fmt: skip
BY_FILE = set(re.findall(r"[A-Z][A-Z0-9_]{6,}", (DEPLOY / "entrypoint.sh").read_text().split("for name in")[1]))


def mlflow_commands() -> Any:
    with warnings.catch_warnings():
        # MLflow warns about type hints of its own modules as it loads them here.
        warnings.simplefilter("ignore")
        from mlflow.cli import cli
    return cli


def known() -> set[str]:
    landed = {f"LANDED_{name.upper()}" for name in Settings.model_fields}
    landed |= {
        f"LANDED_{name.upper()}_FILE" for name, one in Settings.model_fields.items() if "Secret" in str(one.annotation)
    }
    prefect = set(_get_settings_fields(type(get_current_settings())))
    theirs = {name for name in dir(mlflow.environment_variables) if name.startswith("MLFLOW_")}
    options = {
        str(param.envvar) for command in mlflow_commands().commands.values() for param in command.params if param.envvar
    }
    return (
        landed
        | prefect
        | theirs
        | options
        | {f"{name}_FILE" for name in BY_FILE & (prefect | theirs | options)}
        | OTHERS
    )


def pods() -> Iterator[tuple[str, dict[str, Any]]]:
    for one in MANIFESTS:
        if one["kind"] == "Deployment":
            yield one["metadata"]["name"], one["spec"]["template"]["spec"]


def commands() -> Iterator[tuple[str, list[str]]]:
    """Every command line of the examples."""
    for name, service in COMPOSE["services"].items():
        if "command" in service:
            yield f"compose {name}", service["command"]
    for name, pod in pods():
        yield f"kubernetes {name}", pod["containers"][0]["args"]
    for name, text in UNITS.items():
        program, *line = re.search(r"^ExecStart=(.*)$", text, re.MULTILINE)[1].split()
        assert program == "/opt/landed/bin/with-secrets"
        yield f"systemd {name}", [line[0].removeprefix("/opt/landed/bin/"), *line[1:]]


COMMANDS = dict(commands())


def test_every_variable_of_the_examples_is_documented_by_whoever_reads_it():
    names = {name for name in known() if name}
    assert "LANDED_LEDGER_URL_FILE" in names
    for path in FILES:
        used = set(re.findall(r"\b(?:LANDED|PREFECT|MLFLOW|AWS|POSTGRES)_[A-Z0-9_]+", path.read_text()))
        assert used <= names, (path.name, used - names)


@pytest.mark.parametrize("place", sorted(COMMANDS))
def test_every_command_of_the_examples_exists_with_its_options(place):
    program, *words = COMMANDS[place]
    if program == "prefect":
        assert words[:2] == ["server", "start"]
        return
    command: Any = typer.main.get_command(app) if program == "landed" else mlflow_commands()
    while words and not words[0].startswith("-"):
        assert words[0] in command.commands, f"{place}: {program} has no {words[0]}"
        command = command.commands[words.pop(0)]
    options = {option for param in command.params for option in param.opts}
    assert {word for word in words if word.startswith("--")} <= options, place


def test_each_part_of_the_team_is_in_each_example():
    parts = {"prefect", "mlflow", "dispatcher", "worker", "review"}
    assert set(COMPOSE["services"]) == parts | {"postgres"}
    assert {name for name, _ in pods()} == parts
    assert {name.removeprefix("landed-").removesuffix("-server") for name in UNITS} == parts


def test_secrets_come_by_file_and_nothing_has_a_default_password():
    for path in FILES:
        text = path.read_text()
        assert not re.search(r"://[^/\s:@]+:[^/\s@]+@", text), f"{path.name} holds a URL with a password"
        for name, value in re.findall(r"\b(\w*(?:PASSWORD|SECRET|_KEY|AUTH_STRING|TOKEN)\w*)[\"']?[:=]\s*(\S+)", text):
            assert name.endswith("_FILE"), (path.name, name)
            assert "/secrets/" in value, (path.name, name, value)
        assert "changeme" not in text.lower()


def test_every_secret_of_the_compose_file_is_declared_used_and_mounted_where_it_is_read():
    declared = set(COMPOSE["secrets"])
    used = {name for service in COMPOSE["services"].values() for name in service.get("secrets", [])}
    assert used == declared
    for name, service in COMPOSE["services"].items():
        read = set(re.findall(r"/run/secrets/([\w.]+)", json.dumps(service.get("environment", {}))))
        assert read == set(service["secrets"]), name
    assert all(
        re.fullmatch(r"127\.0\.0\.1:\d+:\d+", port)
        for one in COMPOSE["services"].values()
        for port in one.get("ports", [])
    )


def test_no_container_runs_as_root_or_may_write_its_own_files():
    assert re.search(r"^USER 10001:10001$", (DEPLOY / "Dockerfile").read_text(), re.MULTILINE)
    for name, pod in pods():
        (container,) = pod["containers"]
        assert pod["securityContext"]["runAsNonRoot"], name
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]},
        }, name  # fmt: skip
    for name, service in COMPOSE["services"].items():
        assert name == "postgres" or (service["read_only"] and service["cap_drop"] == ["ALL"]), name


def test_pods_find_the_volumes_and_secrets_they_name_and_only_group_may_read_them():
    claims = {one["metadata"]["name"] for one in MANIFESTS if one["kind"] == "PersistentVolumeClaim"}
    assert all(
        one["spec"]["accessModes"] == ["ReadWriteMany"] for one in MANIFESTS if one["metadata"]["name"] in claims
    )
    (shared,) = [one["data"] for one in MANIFESTS if one["kind"] == "ConfigMap"]
    run = POOLS["kubernetes"]["job_configuration"]["job_manifest"]["spec"]["template"]["spec"]
    for name, pod in [*pods(), ("job", run)]:
        (container,) = pod["containers"]
        volumes = {volume["name"]: volume for volume in pod["volumes"]}
        assert {mount["name"] for mount in container["volumeMounts"]} == set(volumes), name
        assert volumes["secrets"]["secret"]["defaultMode"] == 0o440
        handed = {item["path"] for item in volumes["secrets"]["secret"]["items"]}
        environment = shared if "envFrom" in container else {}
        own = container["env"] if isinstance(container.get("env"), list) else []
        environment = {**environment, **{item["name"]: item["value"] for item in own}}
        if name == "job":
            environment = POOLS["kubernetes"]["variables"]["properties"]["env"]["default"]
        assert set(re.findall(r"/run/secrets/([\w.]+)", json.dumps(environment))) == handed, name
        used = {
            volume["persistentVolumeClaim"]["claimName"]
            for volume in volumes.values()
            if "persistentVolumeClaim" in volume
        }
        assert used <= claims


@pytest.mark.parametrize("kind", sorted(POOLS))
def test_a_work_pools_template_fills_every_place_and_knows_its_workers_fields(kind):
    bundled = json.loads((COLLECTED / "aggregate-worker-metadata.json").read_text())
    (default,) = [worker[kind]["default_base_job_configuration"] for worker in bundled.values() if kind in worker]
    pool = POOLS[kind]
    places = set(re.findall(r"\{\{ (\w+) \}\}", json.dumps(pool["job_configuration"])))
    assert places == set(pool["variables"]["properties"])
    assert set(pool["job_configuration"]) <= set(default["job_configuration"])
    for name, variable in pool["variables"]["properties"].items():
        assert variable["type"] == default["variables"]["properties"].get(name, variable)["type"], name


def test_the_image_is_built_from_the_pins_with_their_hashes_and_names_no_host():
    text = (DEPLOY / "Dockerfile").read_text()
    assert "--no-deps --require-hashes -r constraints.txt" in text
    assert re.findall(r"^FROM (\S+)", text, re.MULTILINE) == ["python:3.11-slim"] * 2
    images = [service["image"] for service in COMPOSE["services"].values()]
    assert not [image for image in images if re.match(r"[\w-]+\.[\w.-]+/", image)]
    copied = {
        source for line in re.findall(r"^COPY (?!--from)(.*)$", text, re.MULTILINE) for source in line.split()[:-1]
    }
    for source in copied:
        assert source.startswith("--") or (DEPLOY.parents[1] / source).exists(), source
    ignored = (DEPLOY / "Dockerfile.dockerignore").read_text().splitlines()
    assert ignored[0] == "**"
    for source in {one.split("/")[0] for one in copied if not one.startswith("--")}:
        assert f"!{source}" in ignored


def test_the_entry_point_hands_a_files_content_on_and_leaves_the_rest(tmp_path):
    (tmp_path / "auth").write_text("landed:a b$c'd\"e\n")
    result = subprocess.run(
        ["sh", DEPLOY / "entrypoint.sh", "env"], capture_output=True, text=True, check=True,
        env={"PATH": os.environ["PATH"], "PREFECT_API_AUTH_STRING_FILE": str(tmp_path / "auth"), "KEPT": "as it is"},
    )  # fmt: skip
    found = dict(line.split("=", 1) for line in result.stdout.splitlines())
    assert found["PREFECT_API_AUTH_STRING"] == "landed:a b$c'd\"e"
    assert found["KEPT"] == "as it is"
    assert "PREFECT_API_AUTH_STRING_FILE" not in found
    missing = subprocess.run(
        ["sh", DEPLOY / "entrypoint.sh", "env"], capture_output=True, text=True,
        env={"PATH": os.environ["PATH"], "MLFLOW_TRACKING_PASSWORD_FILE": str(tmp_path / "nowhere")},
    )  # fmt: skip
    assert missing.returncode != 0
    assert "nowhere" in missing.stderr


@pytest.mark.parametrize("name", sorted(UNITS))
def test_a_unit_restarts_and_may_write_its_own_folder_only(name):
    unit = configparser.ConfigParser(strict=False, interpolation=None)
    unit.optionxform = str
    unit.read_string(UNITS[name])
    assert unit["Service"]["Restart"] == "always"
    assert unit["Service"]["User"] == "landed"
    assert unit["Service"]["ProtectSystem"] == "strict"
    assert unit["Service"]["ReadWritePaths"] == "/srv/landed"
