"""The disk runs full, or may not be written: the run ends with a clear error, and goes on where it stood afterwards."""

import os
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.cli.calling import assert_refused, landed
from tests.conftest import Home
from tests.faults.works import PROJECT, record_of
from tests.orchestration.parts import TOY, written_charter
from tests.orchestration.toy.landed_toy import tables

pytestmark = [pytest.mark.proof, pytest.mark.timeout(1800)]

#: Size of the disk in bytes; a finished toy installation takes less than half of it.
SIZE = 32 * 2**20
#: Exit codes of our own errors: data, ledger and model.
OURS = (3, 5, 6)


@pytest.fixture(scope="module")
def toy():
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(TOY))
        yield


@contextmanager
def disk(folder: Path):
    """A small file system of its own, mounted over a folder; a skip where that is not permitted."""
    folder.mkdir(parents=True, exist_ok=True)
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={SIZE}", "tmpfs", folder], capture_output=True, text=True
    )
    if done.returncode:
        pytest.skip(f"no file system can be mounted here ({done.stderr.strip()}): a full disk is not tested")
    try:
        yield
    finally:
        # Lazily: a library may hold a file open until it is collected.
        subprocess.run(["umount", "--lazy", folder], check=True)


def remounted(folder: Path, way: str) -> None:
    subprocess.run(["mount", "-o", f"remount,{way}", folder], check=True)


def founded(home: Home, mlflow: Path) -> Home:
    """The toy's charter and data, and an empty MLflow store."""
    (home.root / "source").mkdir(parents=True)
    tables().to_parquet(home.root / "source" / "visits.parquet")
    written_charter(home.root, PROJECT)
    (home.data / "mlflow").mkdir(parents=True)
    (home.data / "mlflow" / "mlflow.db").write_bytes(mlflow.read_bytes())
    return home


def run(home: Home):
    return landed("run", home.root / f"{PROJECT}.yaml", "--data", home.root / "source")


@pytest.fixture(scope="module")
def undisturbed(toy, tmp_path_factory, mlflow_template):
    """What the record says where nothing failed, and how many bytes it took."""
    root = tmp_path_factory.mktemp("twin")
    with disk(root), pytest.MonkeyPatch.context() as patch:
        home = founded(Home(root).enter(patch), mlflow_template)
        before = free(root)
        assert run(home).exit_code == 0
        return record_of(root), before - free(root)


def free(folder: Path) -> int:
    found = os.statvfs(folder)
    return found.f_bavail * found.f_frsize


@pytest.mark.parametrize("eighths", range(8))
def test_a_full_disk_ends_a_run_with_a_clear_error_and_the_next_one_finishes(
    undisturbed, tmp_path, monkeypatch, mlflow_template, eighths
):
    """The disk is full after so many eighths of what the run writes."""
    wanted, taken = undisturbed
    root = tmp_path / "disk"
    with disk(root):
        home = founded(Home(root).enter(monkeypatch), mlflow_template)
        ballast = root / "ballast"
        with ballast.open("wb") as file:
            os.posix_fallocate(file.fileno(), 0, free(root) - taken * eighths // 8)
        for _ in range(2):  # whoever tries again at once meets the same
            met = run(home)
            assert met.exit_code in OURS, met.output
            assert_refused(met, met.exit_code)
        ballast.unlink()
        assert run(home).exit_code == 0
        assert record_of(root) == wanted


def test_a_data_folder_that_may_not_be_written_is_named_and_the_run_goes_on_once_it_may(
    undisturbed, tmp_path, monkeypatch, mlflow_template
):
    wanted, _ = undisturbed
    root = tmp_path / "disk"
    with disk(root):
        home = founded(Home(root).enter(monkeypatch), mlflow_template)
        remounted(root, "ro")
        assert_refused(run(home), 5, str(root), "cannot be written", "LANDED_DATA")
        remounted(root, "rw")
        # In a process of its own: MLflow keeps its file open, and what is open cannot become read-only.
        command = [Path(sys.executable).with_name("landed"), "run", root / f"{PROJECT}.yaml", "--data", root / "source"]
        subprocess.run(command, env={**os.environ, "PYTHONPATH": str(TOY)}, check=True, capture_output=True)
        remounted(root, "ro")
        # What is on record can still be read and proven.
        assert landed("audit", "verify", "--no-mlflow").exit_code == 0
        assert PROJECT in landed("review", "list").stdout
        assert_refused(run(home), 5, str(root))
        remounted(root, "rw")
        assert record_of(root) == wanted
