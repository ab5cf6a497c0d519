"""What an iteration leans on goes away: MLflow's server for a while, PostgreSQL in the middle of a run."""

from collections import Counter
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest

from flows.dispatch import drain
from pipeline import addresses
from pipeline.errors import LedgerError
from pipeline.ledger import Ledger, Transaction, pending
from pipeline.models.tracking import Tracking
from pipeline.settings import Settings
from tests.cli.calling import assert_refused, landed
from tests.conftest import Home
from tests.faults.works import PROJECT, iterate, record_of, sign_all
from tests.mlflow_server import free_port, mlflow_server
from tests.orchestration.parts import TOY, written_charter
from tests.orchestration.toy.landed_toy import tables

pytestmark = [pytest.mark.proof, pytest.mark.timeout(1800)]


@pytest.fixture(scope="module", autouse=True)
def toy():
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(TOY))
        yield


def founded(home: Home, mlflow: Path | None = None) -> Home:
    (home.root / "source").mkdir(parents=True)
    tables().to_parquet(home.root / "source" / "visits.parquet")
    written_charter(home.root, PROJECT)
    (home.data / "mlflow").mkdir(parents=True)
    if mlflow:
        (home.data / "mlflow" / "mlflow.db").write_bytes(mlflow.read_bytes())
    return home


def run(home: Home):
    return landed("run", home.root / f"{PROJECT}.yaml", "--data", home.root / "source")


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory, mlflow_template):
    """What the record says after an iteration, and after it was sent back, where everything was there."""
    with pytest.MonkeyPatch.context() as patch:
        home = founded(Home(tmp_path_factory.mktemp("twin")).enter(patch), mlflow_template)
        assert run(home).exit_code == 0
        reviewed = record_of(home.root)
        sign_all("iterate")(home.root)
        with Ledger(Settings().ledger) as ledger:
            drain(ledger, PROJECT, run_iterations=False)
        return reviewed, record_of(home.root)


def struck(owner: type, name: str, number: int, blow, *, after: bool = False) -> pytest.MonkeyPatch:
    """Let something happen just before a call of a method, or just after it."""
    real, calls, patch = getattr(owner, name), Counter[str](), pytest.MonkeyPatch()

    def called(*args, **kwargs):
        calls[name] += 1
        if calls[name] == number and not after:
            blow()
        result = real(*args, **kwargs)
        if calls[name] == number and after:
            blow()
        return result

    patch.setattr(owner, name, called)
    return patch


def test_mlflow_gone_for_a_while_ends_the_run_with_its_name_and_nothing_is_done_again(undisturbed, home, monkeypatch):
    """Away in the middle of a run, at the next try, and when people have decided; each time the record waits."""
    reviewed, sent_back = undisturbed
    founded(home)
    monkeypatch.setattr(addresses, "WAITS", (0.1,) * 5)
    port = free_port()
    monkeypatch.setenv("LANDED_MLFLOW_URL", f"http://127.0.0.1:{port}")
    with ExitStack() as there, ExitStack() as after:
        there.enter_context(mlflow_server(home.data / "mlflow", port=port))
        patch = struck(Tracking, "log_candidate", 2, there.close)
        after.callback(patch.undo)
        assert_refused(run(home), 5, f"127.0.0.1:{port}", "check that the MLflow server runs")
        assert_refused(run(home), 5, f"127.0.0.1:{port}")
    with ExitStack() as there:
        there.enter_context(mlflow_server(home.data / "mlflow", port=port))
        met = run(home)
        assert met.exit_code == 0, met.output
        assert "first: trained already" in met.stderr
        assert record_of(home.root) == reviewed
        sign_all("iterate")(home.root)
    with Ledger(Settings().ledger) as ledger:
        with pytest.raises(LedgerError, match="The tracking store"):
            drain(ledger, PROJECT, run_iterations=False)
        assert {intent.kind for intent in pending(ledger, PROJECT)} == {"open", "track"}
        with mlflow_server(home.data / "mlflow", port=port):
            drain(ledger, PROJECT, run_iterations=False)
            assert record_of(home.root) == sent_back


def test_postgresql_restarted_between_two_commits_is_not_even_noticed(
    undisturbed, home, monkeypatch, server, mlflow_template
):
    from landed_toy import Toy

    def restarted() -> None:
        server.halt()
        server.start()

    founded(home, mlflow_template)
    monkeypatch.setenv("LANDED_LEDGER_URL", server.new_url())
    patch = struck(Toy, "train", 2, restarted)
    try:
        iterate(home.root)
    finally:
        patch.undo()
    assert record_of(home.root) == undisturbed[0]


def signed(home: Home) -> None:
    sign_all("iterate")(home.root)


def carried(home: Home) -> None:
    with Ledger(Settings().ledger) as ledger:
        drain(ledger, PROJECT, run_iterations=False)


def ran(home: Home) -> None:
    """As a person starts it: what it says and its exit code are looked at too."""
    met = run(home)
    if met.exit_code:
        assert_refused(met, 5, "The ledger cannot be reached")
        raise LedgerError("refused", [])


STEPS = (ran, signed, carried)


def test_postgresql_restarted_at_any_append_refuses_the_work_clearly_and_the_next_try_finishes_it(
    undisturbed, tmp_path, monkeypatch, server, mlflow_template
):
    """An iteration, its sign-offs and the decision carried out: restarted before and after each event's append."""

    def restarted() -> None:
        server.halt()
        server.start()

    tried, number = Counter[str](), 0
    while True:
        # MLflow keeps files open in this process, so that each try has a place of its own.
        home = founded(Home(tmp_path / f"try-{number}").enter(monkeypatch), mlflow_template)
        monkeypatch.setenv("LANDED_LEDGER_URL", server.new_url())
        patch = struck(Transaction, "append", 1 + number // 2, restarted, after=number % 2 == 1)
        struck_at = None
        try:
            for step in STEPS:
                with suppress(LedgerError):
                    step(home)
                    continue
                struck_at = step.__name__
                patch.undo()
                step(home)
        finally:
            patch.undo()
        if struck_at is None:
            break
        tried[struck_at] += 1
        assert record_of(home.root) == undisturbed[1], (number, struck_at)
        number += 1
    print(f"\nPostgreSQL restarted at appends: {dict(tried)}")  # noqa: T201 - the figures, seen with `pytest -s`
    assert all(tried[step.__name__] for step in STEPS)
