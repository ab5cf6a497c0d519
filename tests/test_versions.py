"""The pinned set works together: newer versions of some packages break others without a word."""

import re
import tomllib
import warnings
from datetime import timedelta
from importlib.metadata import version
from itertools import pairwise
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from flows.server import at_hand

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
CONSTRAINTS = (ROOT / "constraints.txt").read_text(encoding="utf-8")
EXTRAS = [one for extra in PROJECT["optional-dependencies"].values() for one in extra]
REQUIREMENTS = sorted({str(Requirement(text)): None for text in [*PROJECT["dependencies"], *EXTRAS]})


def pins() -> dict[str, list[tuple[Requirement, int]]]:
    """Package → its pins, each with the number of hashes that guard it."""
    found: dict[str, list[tuple[Requirement, int]]] = {}
    for entry in re.split(r"\n(?=\S)", CONSTRAINTS.strip()):
        text, *hashes = re.split(r"\s*\\\n\s*", entry.strip())
        if not text.startswith("#"):
            pin = Requirement(text)
            count = sum(bool(re.fullmatch(r"--hash=sha256:[0-9a-f]{64}", one)) for one in hashes)
            assert count == len(hashes), entry[:80]
            found.setdefault(canonicalize_name(pin.name), []).append((pin, count))
    return found


@pytest.mark.parametrize("text", REQUIREMENTS)
def test_every_requirement_is_pinned_with_hashes_within_its_bounds(text):
    wanted = Requirement(text)
    pinned = pins().get(canonicalize_name(wanted.name), [])
    assert pinned, f"{wanted.name} is not in constraints.txt"
    for pin, hashes in pinned:
        (only,) = pin.specifier
        assert only.operator == "=="
        assert hashes
        assert wanted.specifier.contains(only.version)


def test_every_pin_is_exact_and_guarded_by_a_hash():
    for name, pinned in pins().items():
        for pin, hashes in pinned:
            assert [one.operator for one in pin.specifier] == ["=="], name
            assert hashes, name


@pytest.mark.parametrize("text", sorted(PROJECT["dependencies"]))
def test_what_is_installed_is_what_is_pinned(text):
    name = Requirement(text).name
    here = [pin for pin, _ in pins()[canonicalize_name(name)] if pin.marker is None or pin.marker.evaluate()]
    assert any(pin.specifier.contains(version(name)) for pin in here)


def test_the_pins_name_no_index_and_no_address():
    assert not re.search(r"https?:|--(extra-)?index-url|--find-links|--trusted-host|pypi\.", CONSTRAINTS)


@pytest.fixture(scope="module")
def client():
    from prefect.client.orchestration import get_client

    with at_hand(), get_client(sync_client=True) as opened:
        yield opened


def test_prefects_server_starts_under_the_pins_and_answers(client):
    assert client.api_healthcheck() is None
    assert client.api_version() == version("prefect")


def test_a_schedule_creates_runs_and_deployments_are_listed(client):
    from prefect import flow
    from prefect.client.schemas.actions import DeploymentScheduleCreate
    from prefect.client.schemas.filters import FlowRunFilter
    from prefect.client.schemas.schedules import IntervalSchedule

    @flow(name="scheduled")
    def scheduled() -> None:
        return None

    hourly = DeploymentScheduleCreate(schedule=IntervalSchedule(interval=timedelta(hours=1)), active=True)
    deployment = client.create_deployment(client.create_flow(scheduled), "hourly", schedules=[hourly])
    # What the server's scheduler calls in its loop.
    client.request("POST", "/deployments/{id}/schedule", path_params={"id": deployment}, json={})
    runs = client.read_flow_runs(flow_run_filter=FlowRunFilter(deployment_id={"any_": [deployment]}))
    assert len(runs) >= 3
    assert {run.state.name for run in runs} == {"Scheduled"}
    starts = sorted(run.expected_start_time for run in runs)
    assert {(later - earlier).total_seconds() for earlier, later in pairwise(starts)} == {3600.0}
    # The listing sends explicit nulls, which some versions of FastAPI refuse.
    assert [one.name for one in client.read_deployments() if one.id == deployment] == ["hourly"]


def test_evidently_runs_a_report_under_the_pins():
    import pandas as pd

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from evidently import DataDefinition, Dataset, Report
        from evidently.presets import DataDriftPreset

        frame = pd.DataFrame({"units": [float(one) for one in range(40)]})
        data = Dataset.from_pandas(frame, data_definition=DataDefinition(numerical_columns=["units"]))
        assert Report([DataDriftPreset()]).run(data, data).dict()["metrics"]


def test_mlflow_imports_under_the_pins_and_stays_silent_about_its_user():
    import mlflow

    from pipeline.settings import Settings

    assert mlflow.__version__ == version("mlflow")
    quiet = Settings().quiet_environment()
    assert (quiet["MLFLOW_DISABLE_TELEMETRY"], quiet["DO_NOT_TRACK"]) == ("true", "1")
    assert quiet["PREFECT_SERVER_ANALYTICS_ENABLED"] == "false"
