"""Decisions people change: every fault of the file at once, every change in the ledger, the newest batch counts."""

from dataclasses import replace
from datetime import date

import numpy as np
import pandas as pd
import pytest

from pipeline.charter.compliance import DecisionLimits
from pipeline.cli.deciding import explanation, with_overrides
from pipeline.compliance.account import Account, Drivers
from pipeline.compliance.limits import limited
from pipeline.errors import DataError, Refused
from pipeline.rollout.overriding import as_frame, batches, put, read_overrides, record_served
from pipeline.rollout.serving import Served

HEADER = "store,product,quantity,person,reason\n"


@pytest.fixture
def account() -> Account:
    decisions = pd.DataFrame({"store": ["a", "a", "b"], "product": [1, 2, 1], "order": [4, 5, 6]})
    names = np.array([["level"], ["lag_1"]], dtype=object)
    return Account(
        decisions, "order", np.array([True, True, False]), np.array([4.0, 2.0, 6.0]),
        np.array(["", "level", ""], dtype=object), np.array([1.0, 2.0, 3.0]), date(2026, 11, 16),
        Drivers(np.array([0, 1]), names, np.array([[1.2], [0.8]]), 0.0),
    )  # fmt: skip


@pytest.fixture
def served(account):
    return Served(account.decisions, "champion", "3", proposal=False, account=account)


def write(tmp_path, text):
    path = tmp_path / "overrides.csv"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_change_takes_the_place_of_the_decision_and_keeps_its_type(tmp_path, served):
    path = write(tmp_path, HEADER + "a,2,9,joao,school holidays\n")
    decisions, changed = with_overrides(served, path)
    assert decisions["order"].tolist() == [4, 9, 6]
    assert pd.api.types.is_integer_dtype(decisions["order"])
    (one,) = changed
    assert (one.series, one.model, one.quantity, one.standing) == ({"store": "a", "product": "2"}, 5.0, 9.0, 2.0)
    assert served.decisions["order"].tolist() == [4, 5, 6]


def test_every_fault_of_the_file_is_told_at_once_with_its_line(tmp_path, account):
    lines = ["c,1,3,joao,x", "a,1,-1,joao,x", "a,1,2.5,,x", "b,1,many,joao,", "b,1,1,joao,x", "a"]
    path = write(tmp_path, HEADER + "\n".join(lines) + "\n")
    with pytest.raises(DataError) as caught:
        read_overrides(path, account, account.amounts)
    told = [(finding.place.rsplit(":", 1)[1], finding.found) for finding in caught.value.findings]
    assert told == [
        ("2", "c 1, of which there is no decision"), ("3", "the quantity '-1'"), ("4", "a 1 a second time"),
        ("4", "the quantity '2.5'"), ("4", "no person"), ("5", "the quantity 'many'"), ("5", "no reason"),
        ("6", "b 1 a second time"), ("7", "a , of which there is no decision"), ("7", "the quantity ''"),
        ("7", "no person"), ("7", "no reason"),
    ]  # fmt: skip


@pytest.mark.parametrize("text", ["", "store,quantity,person,reason\n", "\x00"])
def test_a_file_without_the_columns_is_refused(tmp_path, account, text):
    with pytest.raises(DataError, match="cannot be read"):
        read_overrides(write(tmp_path, text), account, account.amounts)
    with pytest.raises(DataError, match="cannot be read"):
        read_overrides(tmp_path / "none.csv", account, account.amounts)


def test_people_change_what_the_limits_left(tmp_path, account):
    held = limited(account, DecisionLimits(max_change=0.5, outside_training="refuse"))
    assert held.amounts.tolist() == [4.0, 2.0, 6.0]
    served = Served(account.with_values(held.amounts), "champion", "3", False, account, held)
    decisions, changed = with_overrides(served, write(tmp_path, HEADER + "a,1,40,joao,fair in town\n"))
    assert decisions["order"].tolist() == [40, 2, 6]
    told = explanation(served, decisions)
    assert told["decision"].tolist() == [40, 2, 6]
    assert told["limited"].tolist() == ["", "outside", ""]
    assert told["driver_1"].tolist() == ["level", "lag_1", ""]
    assert told["decided_by"].tolist() == ["model", "model", "today's rule"]
    assert changed[0].model == 4.0


def queue(places=(1, 2, 3, 4), ranked=("support", "support", "support", "support", "")):
    decisions = pd.DataFrame({"ticket": [11, 12, 13, 14, 0], "decision": [*places, 3]})
    none = np.full(5, "", dtype=object)
    return Account(
        decisions, "decision", np.ones(5, bool), np.array([4.0, 3.0, 2.0, 1.0, 3.0]), none, np.zeros(5),
        date(2026, 11, 16), about=("ticket",), ranked=np.array(ranked, dtype=object),
    )  # fmt: skip


def test_a_ticket_that_is_moved_up_pushes_the_others_back_and_no_place_is_held_twice(tmp_path):
    account = queue()
    text = "ticket,quantity,person,reason\n13,1,ana,the customer called\n0,5,ana,fair in town\n"
    changed = read_overrides(write(tmp_path, text), account, account.amounts)
    assert put(account, account.amounts, changed).tolist() == [2, 3, 1, 4, 5]
    text = "ticket,quantity,person,reason\n11,9,ana,it can wait\n12,9,ana,it can wait\n"
    changed = read_overrides(write(tmp_path, text), account, account.amounts)
    assert put(account, account.amounts, changed).tolist() == [4, 3, 1, 2, 3]


def test_a_place_counts_from_one_and_no_limit_of_amounts_is_held_against_it(tmp_path):
    account = queue()
    with pytest.raises(DataError, match="a place in the queue, from 1"):
        read_overrides(write(tmp_path, "ticket,quantity,person,reason\n13,0,ana,x\n"), account, account.amounts)
    held = limited(account, DecisionLimits(max_change=0.1, cap=2))
    assert held.amounts.tolist() == [1, 2, 3, 4, 2]
    assert held.why.tolist() == ["", "", "", "", "cap"]
    unknown = replace(account, outside=np.array(["hours", "", "", "", ""], dtype=object))
    held = limited(unknown, DecisionLimits(outside_training="refuse"))
    assert (held.amounts.tolist(), held.why.tolist()) == ([1, 2, 3, 4, 3], ["outside", "", "", "", ""])


def test_words_are_changed_by_words_and_amounts_that_are_no_whole_numbers_by_numbers(tmp_path):
    cases = pd.DataFrame({"case": ["a", "b"], "decision": ["act", "leave"], "score": [0.7, 0.1]})
    none = np.full(2, "", dtype=object)
    account = Account(
        cases, "decision", np.ones(2, bool), np.zeros(2), none, np.zeros(2), date(2026, 11, 16), about=("case",),
        words=("leave", "act"), whole=False,
    )  # fmt: skip
    changed = read_overrides(write(tmp_path, "case,decision,person,reason\nb,act,ana,x\n"), account, account.amounts)
    values = put(account, account.amounts, changed)
    assert account.with_values(values)["decision"].tolist() == ["act", "act"]
    with pytest.raises(DataError, match="write one of: leave, act"):
        read_overrides(write(tmp_path, "case,decision,person,reason\nb,Act,ana,x\n"), account, account.amounts)
    amounts = replace(account, words=(), decisions=cases.assign(decision=[1.5, -2.5]))
    changed = read_overrides(write(tmp_path, "case,quantity,person,reason\nb,-0.25,ana,x\n"), amounts, amounts.amounts)
    assert put(amounts, amounts.amounts, changed).tolist() == [1.5, -0.25]
    assert limited(amounts, DecisionLimits(max_change=0.5, free_units=1.25)).amounts.tolist() == [1.25, -1.25]


def test_without_a_model_there_is_nothing_to_explain(served, account):
    with pytest.raises(Refused, match="nothing to explain"):
        explanation(replace(served, account=replace(account, drivers=None)), served.decisions)


def noted(ledger, account, path, cutoff=date(2026, 11, 16)):
    changed = read_overrides(path, account, account.amounts)
    with ledger.transaction() as tx:
        return record_served(
            tx, "shop", actor="joao", cutoff=cutoff, decisions=3, by_model=2, limited=1,
            model={"alias": "champion", "version": "3"}, sha256="ab", overrides=changed,
        )  # fmt: skip


def test_the_newest_batch_of_a_period_is_the_one_that_counts(tmp_path, ledger, account):
    noted(ledger, account, write(tmp_path, HEADER + "a,1,9,joao,a\na,2,9,joao,b\n"))
    noted(ledger, account, write(tmp_path, HEADER + "a,1,8,joao,a\n"))
    noted(ledger, account, write(tmp_path, HEADER + "b,1,7,ana,c\n"), cutoff=date(2026, 11, 23))
    found = batches(ledger, "shop")
    assert [(batch.cutoff, len(batch.overrides)) for batch in found] == [
        (date(2026, 11, 16), 1), (date(2026, 11, 23), 1),
    ]  # fmt: skip
    frame = as_frame(found)
    assert frame[["store", "product", "quantity"]].to_numpy().tolist() == [["a", "1", 8.0], ["b", "1", 7.0]]
    assert put(account, account.amounts, found[0].overrides).tolist() == [8.0, 5.0, 6.0]
    assert as_frame(()).empty
