"""Folders in which a page is true: the project's files, and what its reader has done before."""

import json
import re
import shutil
from collections.abc import Callable
from datetime import date
from pathlib import Path

import pandas as pd
import pytest
import yaml

from flows.feedback import apply_decision
from pipeline.ledger import Ledger
from pipeline.problems.reading import read_charter_for_problem
from pipeline.settings import Settings
from tests.cli.calling import landed
from tests.docs.blocks import ROOT, Command, Shell
from tests.flows.awaiting import decide, under_review
from tests.flows.made import charter_values, decisions_values, found_retailer, write_yaml
from tests.replenishment.made import write_long, write_vn2
from tests.tabular.made import breast_cancer
from tests.web.made import PASSWORD, let_in

CHARTER = "configs/replenishment/charter.yaml"
VN2 = "configs/vn2/charter.yaml"
#: What README's reader answers in a terminal, as flags.
INIT = (
    "init orders.csv my-project --title Biopsies --pain 'Malignant biopsies wait as long as benign ones.' "
    "--decision 'Which biopsy a pathologist looks at first every day.' --target diagnosis --positive malignant "
    "--counted-in hours --worth hit=40 --worth false_alarm=-2 --worth miss=-20 --baseline nobody --goal 8 "
    "--deadline 2027-12-31 --sponsor 'Ada Lund <ada@example.com>' --owner 'Ben Okoro <ben@example.com>'"
)

__all__ = ["found_retailer"]


def project(folder: Path) -> Path:
    """A copy of what a reader has checked out, with the flagship's chain and charter made small."""
    shutil.copytree(ROOT / "configs", folder / "configs")
    for name in ("Makefile", "pyproject.toml", "constraints.txt", "README.md"):
        shutil.copy2(ROOT / name, folder)
    write_yaml(folder / CHARTER, charter_values())
    write_yaml(folder / "configs" / "replenishment" / "decisions.yaml", decisions_values())
    (folder / ".venv").symlink_to(ROOT / ".venv")
    return folder


def enter(folder: Path, patch: pytest.MonkeyPatch, user: str = "robin") -> None:
    """Let commands keep everything in this folder, as they do without any setting, and be somebody's."""
    for name in ("LANDED_DATA", "LANDED_REPORTS", "LANDED_TOKEN", "PREFECT_API_URL", "PREFECT_API_AUTH_STRING"):
        patch.setenv(name, "")
        patch.delenv(name)
    patch.setenv("LANDED_USER", user)
    patch.chdir(folder)
    for name, value in Settings().quiet_environment().items():
        patch.setenv(name, value)


def play_all(shell: Shell, commands: list[Command]) -> None:
    """Play a page to its end; whatever stays in the foreground ends with it."""
    try:
        for command in commands:
            shell.play(command)
    finally:
        shell.stop()


def waiting(folder: Path) -> None:
    """The flagship's first iteration waits for people, made without its training."""
    with Ledger(Settings().ledger) as ledger:
        under_review(ledger, read_charter_for_problem(folder / CHARTER, date.today()))


def released(folder: Path) -> None:
    """The pilot was decided, its model released to the next rung, and the review of that rung waits."""
    charter = read_charter_for_problem(folder / CHARTER, date.today())
    with Ledger(Settings().ledger) as ledger:
        review = under_review(ledger, charter)
        decide(ledger, review, "advance")
        apply_decision.fn(ledger, review.id)
        under_review(ledger, charter, stage="regional", kind="measure")
        let_in(ledger, ("ana.silva", "joao.pinto"))


def vn2(folder: Path) -> None:
    """The challenge's files in small and made up, the same a week later, and a charter that fits them."""
    files, later = folder / "DIR", folder / "WEEK"
    write_vn2(files, weeks=130, stores=4, products=6)
    shutil.copytree(files, later)
    for name in ("sales.csv", "in_stock.csv"):
        frame = pd.read_csv(later / name)
        monday = pd.Timestamp(frame.columns[-1]) + pd.Timedelta(weeks=1)
        # A copy, since a frame read in many blocks warns of one more; warnings are errors here.
        frame.copy().assign(**{str(monday.date()): 1}).to_csv(later / name, index=False)
    _small(folder / VN2)


def tables(folder: Path) -> None:
    """The same history in long form, and the charter that reads it."""
    write_vn2(folder / "vn2", weeks=130, stores=4, products=6)
    write_long(folder / "DIR", folder / "vn2", "csv")
    values = _small(folder / VN2)
    values["data"]["source"] = "tables"
    for table, name in zip(values["data"]["tables"], ("sales", "state", "products"), strict=True):
        table["name"] = name
    write_yaml(folder / "charter.yaml", values)


def _small(path: Path) -> dict:
    values = yaml.safe_load(path.read_text(encoding="utf-8"))
    values["model"]["backtest_cutoffs"] = 2
    values["stages"][0]["units"] = 4
    for candidate in values["model"]["candidates"]:
        candidate["parameters"] = {"rounds": 25, "learning_rate": 0.12, "leaves": 15}
    write_yaml(path, values)
    return values


def readme(folder: Path) -> None:
    """What its blocks name and only a reader has: a table, the challenge's files, two charters."""
    vn2(folder)
    breast_cancer().to_csv(folder / "orders.csv", index=False)
    for name in ("before.yaml", "after.yaml"):
        shutil.copy(folder / CHARTER, folder / name)


def changes(folder: Path) -> None:
    """A planner's changes to the batch, a paper on risks, and more controls in the charter."""
    line = "store,product,quantity,person,reason\nS001,P01,9,joao.pinto,a fair next door\n"
    (folder / "changes.csv").write_text(line, encoding="utf-8")
    (folder / "risks.pdf").write_text("risks", encoding="utf-8")
    values = charter_values()
    values["compliance"] = {"risk_class": "high", "sets": ["baseline", "eu-ai-act-high-risk"]}
    write_yaml(folder / CHARTER, values)


def outcomes(folder: Path) -> None:
    """A delivery of field results."""
    line = "unit,period,stockout_weeks,weeks\nS001,2025-09-01,1,16\n"
    (folder / "field.csv").write_text(line, encoding="utf-8")


def operator(folder: Path) -> None:
    vn2(folder)
    outcomes(folder)


def hash_of(review: str) -> Callable[[str], str]:
    """The hash that ``landed review show`` prints, as a reader copies it."""

    def look(shown: str) -> str:
        told = json.loads(landed("review", "show", review, "--json").stdout)
        return str(told["review"]["request"]["report_digest"])[:12]

    return look


def last(pattern: str) -> Callable[[str], str]:
    """What was shown last in this form."""
    return lambda shown: re.findall(pattern, shown)[-1]


def password(shown: str) -> str:
    return f"{PASSWORD}\n{PASSWORD}\n"


def link_and_password(shown: str) -> str:
    """The link that was shown last, and a password twice."""
    link = last(r"/invitation/(\S+)")(shown)
    return f"{link}\n{password(shown)}"
