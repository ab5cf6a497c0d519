"""The saved searches of docs/auditing.md, and what the ledger says that each of them must find."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from flows.case import CaseRow

PAGE = Path(__file__).parents[2] / "docs" / "auditing.md"
PERSON, STARTER = "joao.pinto", "robin"


def searches() -> dict[str, str]:
    """Question to filter, in the order of the page."""
    text = PAGE.read_text(encoding="utf-8")
    return dict(re.findall(r"^### (.+?)\n.*?^```text\n(.*?)\n```", text, re.MULTILINE | re.DOTALL))


def filled(search: str, row: CaseRow) -> str:
    """A search with the words in capitals replaced by what they stand for."""
    result = row.record.result or {}
    values = {
        "REPORT": row.record.report_digest, "DATA": result["dataset"], "MODEL": result["model_digest"],
        "PERSON": PERSON, "RUN": row.record.mlflow_run, "STARTER": STARTER,
    }  # fmt: skip
    for word, value in values.items():
        search = re.sub(rf"(?<=['%]){word}(?=['%])", str(value), search)
    return search


def expected(rows: Sequence[CaseRow], row: CaseRow) -> Mapping[str, list[str]]:
    """The iterations that each question is about, by the ledger alone."""

    def those(holds) -> list[str]:
        return [one.record.subject for one in rows if holds(one)]

    advanced = those(lambda one: one.review.decision == "advance")
    patched = those(lambda one: one.record.why.get("patches"))
    return {
        "Which iterations were approved, and by whom": advanced,
        "What did one person approve": advanced,
        "On what evidence does this decision rest": [row.record.subject],
        "Which iterations saw this data": those(
            lambda one: one.record.result["dataset"] == row.record.result["dataset"]
        ),
        "Where did this model come from, and where was it measured": those(
            lambda one: one.record.result["model_digest"] == row.record.result["model_digest"]
        ),
        "What changed since the last iteration": patched,
        "Which iterations carried feedback": patched,
        "What still waits for people": [],
        "Was anything approved although a blocking check failed": [],
        "Which decisions are recorded ones, with nobody behind them": those(lambda one: True),
        "Which candidates did an iteration train": [],
        "Who started what": those(lambda one: one.record.started_by == STARTER),
    }
