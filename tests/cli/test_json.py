"""`--json`: every command that prints a result has it, and standard output then holds one JSON value."""

import json
import math
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import pytest

from pipeline.cli.results import plain
from pipeline.language import say
from pipeline.ledger import Ledger
from pipeline.settings import Settings
from tests.cli.calling import landed
from tests.cli.test_init import ANSWERS
from tests.flows.made import SHIPPED, charter_values, write_yaml
from tests.tabular import made
from tests.test_docs import COMMANDS

#: Commands that act or serve and have no result, and one that prints JSON anyway.
WITHOUT = {
    ("up",), ("down",), ("worker",), ("dispatcher",), ("schema",), ("review", "serve"), ("people", "invite"),
    ("people", "accept"), ("people", "deactivate"), ("people", "reactivate"), ("people", "delegate"),
    ("review", "sign"), ("rollout", "stop"), ("rollout", "resume"), ("charter", "reaffirm"), ("deploy",),
    ("audit", "keys"), ("audit", "rotate-key"), ("audit", "lost-key"),
    ("restore",), ("controls", "attest"), ("controls", "waive"),
}  # fmt: skip


def as_json(*arguments):
    ran = landed(*arguments, "--json")
    assert ran.exit_code == 0, ran.output
    return json.loads(ran.stdout)


@pytest.mark.parametrize("words", sorted(set(COMMANDS) - WITHOUT), ids=" ".join)
def test_every_command_with_a_result_takes_json(words):
    assert any("--json" in param.opts for param in COMMANDS[words].params)


def test_the_commands_without_a_result_are_known():
    assert set(COMMANDS) >= WITHOUT
    assert not [words for words in WITHOUT if any("--json" in param.opts for param in COMMANDS[words].params)]


def test_charters_and_their_differences(home):
    found = as_json("check", SHIPPED / "charter.yaml")
    assert found["project"] == "smart-replenishment"
    assert found["kpi"]["target"] == 0.042
    assert len(found["digest"]) == 64
    values = charter_values()
    before = write_yaml(home.root / "before.yaml", values)
    values["budget"]["stop_after_no_gain"] = 5
    (change,) = as_json("diff", before, write_yaml(home.root / "after.yaml", values))
    assert (change["path"], change["kind"], change["new"]) == ("budget.stop_after_no_gain", "loosened", 5)
    assert as_json("diff", before, before) == []


def test_the_record_reviews_and_people(home):
    with Ledger(Settings().ledger) as ledger, ledger.transaction() as tx:
        tx.append("x", "p", "s", "robin", "", {})
    assert as_json("audit", "verify")["events"] == 1
    assert as_json("review", "list") == []
    assert as_json("people", "list") == {"people": [], "delegations": []}


def test_a_project_that_was_started(home):
    made.breast_cancer().to_csv(home.root / "biopsies.csv", index=False)
    found = as_json("init", home.root / "biopsies.csv", home.root / "project", *ANSWERS)
    assert found["open"] == 0
    assert Path(found["charter"]).exists()


def test_values_of_every_kind_are_json():
    @dataclass(frozen=True)
    class Held:
        day: date
        path: Path
        value: float
        names: frozenset[str]

    held = Held(date(2026, 1, 2), Path("a") / "b", math.inf, frozenset({"x"}))
    assert plain({"held": (held,), 1: math.nan, "said": say("{number} units", number=3)}) == {
        "held": [{"day": "2026-01-02", "path": "a/b", "value": None, "names": ["x"]}],
        "1": None,
        "said": "3 units",
    }
