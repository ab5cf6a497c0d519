"""The parts as data: nothing secret where others can read it, nothing of the surroundings that opens a server."""

import os
import time
from pathlib import Path

import pytest

from pipeline.errors import LandedError
from pipeline.settings import Settings
from pipeline.stack.environment import client_environment
from pipeline.stack.health import BeatCheck
from pipeline.stack.parts import local_parts
from pipeline.stack.ports import LOOPBACK, choose, is_free
from pipeline.stack.secrets import read_or_make
from pipeline.stack.state import Folders, PartState, StackState, locked, write

PORTS = {"prefect": 4200, "mlflow": 5000, "review": 8300}
OWN = ("worker", "dispatcher", "review")


@pytest.fixture
def secrets(home):
    return read_or_make(Folders(home.data).secrets)


def parts_of(settings, secrets, surroundings=None, names=OWN):
    return {part.name: part for part in local_parts(settings, PORTS, secrets, surroundings or {}, names)}


@pytest.mark.parametrize(("ago", "well"), [(0, True), (50, True), (70, False), (-50, True), (-3600, False)])
def test_only_a_touch_of_about_now_is_a_sign_of_life(tmp_path, ago, well):
    """One that lies an hour ahead is as old as the clock was set back."""
    beat = tmp_path / "beat"
    assert not BeatCheck(beat).well()
    beat.touch()
    touched = time.time() - ago
    os.utime(beat, (touched, touched))
    assert BeatCheck(beat).well() == well


def test_no_secret_stands_on_a_command_line_or_in_a_representation(home, secrets):
    for part in parts_of(Settings(mlflow_url="postgresql://ana:topsecret@db/mlflow"), secrets).values():
        for secret in (secrets.prefect, secrets.mlflow_password, secrets.mlflow_key, secrets.site_key, "topsecret"):
            assert secret not in " ".join(part.command)
            assert secret not in repr(part)


def test_every_server_is_told_to_listen_on_this_machine_only(home, secrets):
    for part in parts_of(Settings(), secrets).values():
        if part.name in {"prefect", "mlflow"}:
            assert part.command[part.command.index("--host") + 1] == LOOPBACK
        if part.port:
            assert part.link == f"http://{LOOPBACK}:{part.port}"


def test_surroundings_that_would_open_a_server_or_change_who_signs_in_do_not_reach_it(home, secrets):
    surroundings = {
        "PATH": "/bin", "MLFLOW_AUTH_ADMIN_PASSWORD": "weak", "MLFLOW_AUTH_ADMIN_USERNAME": "eve",
        "MLFLOW_SERVER_ALLOWED_HOSTS": "*", "MLFLOW_SERVER_DISABLE_SECURITY_MIDDLEWARE": "true",
        "MLFLOW_TRACKING_URI": "http://elsewhere", "PREFECT_SERVER_API_HOST": "0.0.0.0",  # noqa: S104 - what is refused
        "PREFECT_API_URL": "https://elsewhere", "PREFECT_API_KEY": "key", "PREFECT_UI_API_URL": "https://elsewhere",
        "MLFLOW_S3_ENDPOINT_URL": "http://store:9000", "no_proxy": "intranet",
    }  # fmt: skip
    parts = parts_of(Settings(), secrets, surroundings)
    for name in ("prefect", "mlflow"):
        values = parts[name].environment.values()
        assert not {"weak", "eve", "*", "http://elsewhere", "https://elsewhere", "key"} & set(values), name
        assert parts[name].environment["MLFLOW_S3_ENDPOINT_URL"] == "http://store:9000"
        assert parts[name].environment["NO_PROXY"] == "intranet,127.0.0.1,localhost"
    assert parts["mlflow"].environment.get("MLFLOW_AUTH_CONFIG_PATH") == str(secrets.mlflow_config)
    assert parts["worker"].environment["PREFECT_API_URL"] == "http://127.0.0.1:4200/api"
    assert "PREFECT_API_KEY" not in parts["worker"].environment


def test_a_server_that_stands_elsewhere_is_not_started(home, secrets):
    surroundings = {"PREFECT_API_AUTH_STRING": "team:secret"}
    parts = parts_of(
        Settings(prefect_url="https://prefect.example/api", mlflow_url="https://mlflow.example"), secrets, surroundings
    )
    assert set(parts) == set(OWN)
    assert parts["worker"].environment["PREFECT_API_URL"] == "https://prefect.example/api"
    assert parts["worker"].environment["PREFECT_API_AUTH_STRING"] == "team:secret"
    assert parts["worker"].needs == ()
    assert parts["review"].environment["LANDED_MLFLOW_PAGE"] == ""


def test_landeds_own_parts_know_the_pages_unless_the_team_names_others(home, secrets):
    environment = parts_of(Settings(), secrets)["review"].environment
    assert environment["LANDED_MLFLOW_PAGE"] == "http://127.0.0.1:5000"
    assert environment["LANDED_PREFECT_PAGE"] == "http://127.0.0.1:4200"
    named = Settings(mlflow_page="https://ml.example", prefect_page="https://flows.example")
    environment = parts_of(named, secrets)["review"].environment
    assert environment["LANDED_MLFLOW_PAGE"] == "https://ml.example"
    assert environment["LANDED_PREFECT_PAGE"] == "https://flows.example"


def test_the_review_site_keeps_its_key_unless_the_team_gave_one(home, secrets):
    assert parts_of(Settings(), secrets)["review"].environment["LANDED_SECRET_FILE"] == str(secrets.site_file)
    given = parts_of(Settings(secret="x" * 40), secrets, {"LANDED_SECRET": "x" * 40})["review"].environment
    assert "LANDED_SECRET_FILE" not in given
    assert given["LANDED_SECRET"] == "x" * 40


def test_only_parts_that_have_a_command_are_started(home, secrets):
    assert set(parts_of(Settings(), secrets, names=())) == {"prefect", "mlflow"}


# ---- ports


def test_a_wanted_port_is_taken_if_it_is_free_else_any_free_one(busy):
    free = choose({"a": 0}, {})["a"]
    chosen = choose({"prefect": busy, "mlflow": free}, {})
    assert chosen["mlflow"] == free
    assert chosen["prefect"] not in {busy, free}
    assert is_free(chosen["prefect"])


def test_a_port_that_was_asked_for_is_taken_or_refused(busy):
    with pytest.raises(LandedError) as refused:
        choose({"prefect": 4200, "mlflow": 5000}, {"mlflow": busy})
    (finding,) = refused.value.findings
    assert str(busy) in finding.place
    assert "--mlflow-port" in finding.remedy


def test_a_port_asked_for_twice_is_refused_and_never_given_to_another():
    free = choose({"a": 0}, {})["a"]
    with pytest.raises(LandedError):
        choose({"prefect": 4200, "mlflow": 5000}, {"prefect": free, "mlflow": free})
    chosen = choose({"prefect": free, "mlflow": 5000}, {"mlflow": free})
    assert chosen["mlflow"] == free != chosen["prefect"]


def test_nought_takes_any_free_port():
    chosen = choose({"prefect": 4200, "mlflow": 5000, "review": 8300}, {"prefect": 0, "mlflow": 0, "review": 0})
    assert len(set(chosen.values())) == 3
    assert not {4200, 5000, 8300} & set(chosen.values())


@pytest.fixture
def busy():
    import socket

    with socket.socket() as server:
        server.bind((LOOPBACK, 0))
        server.listen()
        yield server.getsockname()[1]


# ---- what other processes are given


def test_a_process_outside_is_told_how_to_reach_prefect_only_while_the_stack_runs(home, secrets):
    folders = Folders(home.data)
    assert client_environment(Settings()) == {}
    prefect = PartState("prefect", "healthy", 1, "", "", 0, "", "", "http://127.0.0.1:4321", "")
    with locked(folders):
        write(folders, StackState(1, "", "", "", (prefect,)))
        assert client_environment(Settings()) == {
            "PREFECT_API_URL": "http://127.0.0.1:4321/api",
            "PREFECT_API_AUTH_STRING": secrets.prefect,
        }
    assert client_environment(Settings()) == {}
    assert Path(folders.state).exists(), "what a stack said last does not make it run"
