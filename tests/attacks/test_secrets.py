"""No secret of the surroundings ends in what Landed writes: ledger, packs, MLflow's store, logs, bundle, screen."""

import json
import zipfile

import pytest

from pipeline.ledger import Ledger
from pipeline.settings import Settings
from tests.cli.calling import landed
from tests.faults.works import PROJECT
from tests.orchestration.parts import TOY, written_charter
from tests.orchestration.toy.landed_toy import tables

pytestmark = [pytest.mark.proof, pytest.mark.timeout(1800)]

MARK = "hush-hush"
SECRETS = {
    "LANDED_SECRET": f"{MARK}-of-the-site-that-signs-cookies", "LANDED_OIDC_CLIENT_SECRET": f"{MARK}-oidc",
    "LANDED_NOTIFY": json.dumps({"mail": f"mailtos://landed:{MARK}-mail@mail.invalid", "team": f"json://{MARK}.invalid"}),
    "AWS_SECRET_ACCESS_KEY": f"{MARK}-aws", "MLFLOW_TRACKING_PASSWORD": f"{MARK}-mlflow",
}  # fmt: skip


def test_a_whole_iteration_its_review_its_bundle_and_its_errors_hold_no_secret(home, stores, monkeypatch, server):
    monkeypatch.syspath_prepend(str(TOY))
    for name, value in SECRETS.items():
        monkeypatch.setenv(name, value)
    database = server.new_database()
    monkeypatch.setenv("LANDED_LEDGER_URL", server.url(database))
    (home.root / "source").mkdir()
    tables().to_parquet(home.root / "source" / "visits.parquet")
    charter = written_charter(home.root, PROJECT)
    bundle = home.root / "case.zip"
    calls = [
        ("run", charter, "--data", home.root / "source"), ("review", "list"),
        ("audit", "export", PROJECT, "--iteration", 1, "--out", bundle), ("audit", "verify"), ("doctor",),
        ("status",), ("decide", charter, "--out", home.root / "out.csv"),
    ]  # fmt: skip
    said = "".join(landed(*call).output for call in calls)
    assert PROJECT in said
    # And where the server's password is a wrong one.
    monkeypatch.setenv("LANDED_LEDGER_URL", server.url("postgres", f"{MARK}-wrong"))
    refused = landed("review", "list")
    assert refused.exit_code == 5
    monkeypatch.setenv("LANDED_LEDGER_URL", server.url(database))
    private = [MARK, server.password]
    for secret in private:
        assert secret not in said + refused.output
    with zipfile.ZipFile(bundle) as archive:
        written = {name: archive.read(name) for name in archive.namelist()}
    written |= {str(path): path.read_bytes() for path in home.root.rglob("*") if path.is_file()}
    assert len(written) > 20
    held = [name for name, content in written.items() for secret in private if secret.encode() in content]
    assert held == []
    with Ledger(Settings().ledger) as ledger:
        assert not [
            event.kind for event in ledger.events() if any(secret in json.dumps(event.body) for secret in private)
        ]
