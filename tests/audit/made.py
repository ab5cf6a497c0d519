"""A whole installation, quickly made: two iterations with packs, data and a model, signed, applied, released."""

import shutil
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path

import pandas as pd

from flows.feedback import apply_decision
from pipeline.datasets import catalog
from pipeline.datasets.dataset import Dataset, Quarantine
from pipeline.ledger import Ledger, open_iteration, record_report, remember, transition
from pipeline.ledger.notary import make_key
from pipeline.models import files
from pipeline.provenance import environment
from pipeline.reporting.evidence import Evidence, LedgerHead
from pipeline.reporting.pack import WrittenReport, write
from pipeline.review import request_review
from pipeline.review.signing import sign
from pipeline.settings import Settings
from tests.web.made import PROJECT, evidence_of, result_of

KEY, TRAINING = "feedface" * 2, "train:feedface"
STEPS = {2: {"maria.lind": "hold"}, 3: {"ana.ruiz": "advance", "tom.okoye": "advance"}}


@dataclass(frozen=True)
class Installation:
    """Where everything of it lies."""

    root: Path

    @property
    def settings(self) -> Settings:
        return Settings(data=self.root / "data", reports=self.root / "reports")

    @property
    def database(self) -> Path:
        return self.root / "data" / "ledger.db"

    @property
    def model(self) -> Path:
        return self.settings.models / KEY

    def pack(self, number: int = 3) -> Path:
        return self.settings.report_folder(PROJECT, number, "pilot", "train")

    def ledger(self) -> Ledger:
        return Ledger(self.settings.ledger)

    def copied(self, root: Path) -> "Installation":
        shutil.copytree(self.root, root, dirs_exist_ok=True)
        return Installation(root)


def install(root: Path, *, signed: bool = False) -> Installation:
    """Two iterations: the first ends with *hold*, the second releases its model to all stores."""
    made = Installation(root)
    data = _data(made.settings)
    with made.ledger() as ledger:
        if signed:
            with ledger.transaction() as tx:
                make_key(tx, ledger.notary, "olga.admin")
        model = _model(made, ledger)
        for number, answers in STEPS.items():
            review = _reported(made, ledger, number, data, model)
            for person, decision in answers.items():
                sign(ledger, review, person, decision, "Seen and agreed.", _digest(ledger, review))
            apply_decision.fn(ledger, review)
    return made


def _data(settings: Settings) -> str:
    sales = pd.DataFrame({"store": ["S1", "S2"], "week": pd.to_datetime(["2026-10-19", "2026-10-26"]), "units": [3, 4]})
    refused = pd.DataFrame({"table": ["sales"], "row": [2], "reason": ["units: negative"], "content": ["{}"]})
    tables = {"sales": sales}
    dataset = Dataset(
        tables, catalog.digest(tables), date(2026, 10, 26), Quarantine(refused, {"sales": 3}, {"sales": 2})
    )
    catalog.store(dataset, settings.datasets)
    return dataset.digest


def _model(made: Installation, ledger: Ledger) -> str:
    made.model.mkdir(parents=True)
    (made.model / "model.txt").write_text("tree\nversion=v4\n", encoding="utf-8")
    (made.model / "model.json").write_text('{"rounds": 30}\n', encoding="utf-8")
    digest = files.digest(made.model)
    with ledger.transaction() as tx:
        value = {"digest": digest, "directory": KEY, "candidate": "boosted"}
        remember(tx, TRAINING, "training", value, project=PROJECT)
    return digest


def _reported(made: Installation, ledger: Ledger, number: int, data: str, model: str) -> str:
    """An iteration that ran to its review; returns the review's id."""
    charter, why = evidence_of(number).charter, evidence_of(number).why
    with ledger.transaction() as tx:
        record = open_iteration(
            tx, project=charter.project, number=number, stage="pilot", kind="train", charter=charter.canonical(),
            charter_digest=charter.digest, why={"sentence": why, "file": charter.digest}, started_by="li.wei",
        )  # fmt: skip
        record = transition(tx, record, "running", actor="li.wei")
        tx.append("trial.begun", PROJECT, record.subject, "li.wei", "", {"treated": "boosted", "model": model})
    shown = _evidence(ledger, number, data, model)
    written = _write(made, shown)
    with ledger.transaction() as tx:
        result = result_of(shown, written.html) | {
            "model_digest": model, "training": "feedface", "directory": KEY, "dataset": data, "files": written.files,
        }  # fmt: skip
        record = record_report(tx, record, written.digest, result)
        return request_review(tx, record, verdicts=()).id


def _evidence(ledger: Ledger, number: int, data: str, model: str) -> Evidence:
    shown, head = evidence_of(number), ledger.head()
    return replace(
        shown,
        data=replace(shown.data, digest=data),
        model=replace(shown.model, digest=model),
        head=LedgerHead(head.seq, head.hash),
    )


def _write(made: Installation, shown: Evidence) -> WrittenReport:
    folder = made.pack(shown.iteration)
    folder.mkdir(parents=True)
    for name, text in (("environment.txt", environment()), ("drift.html", "<title>Drift</title>")):
        (folder / name).write_text(text, encoding="utf-8")
    return write(shown, folder, [folder / "environment.txt", folder / "drift.html"])


def _digest(ledger: Ledger, review: str) -> str:
    from pipeline.review.requests import find_review

    found = find_review(ledger, review)
    assert found is not None
    return found.report_digest
