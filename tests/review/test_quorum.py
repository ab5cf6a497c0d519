from itertools import permutations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.charter import DECISIONS
from pipeline.review import SignOff, asked, out_of_reach, outcome
from pipeline.review.quorum import counted
from tests.review.cases import PEOPLE, SIGN, a_charter

CHARTER = a_charter()


def signed(person, decision, role=None):
    return SignOff(person, role or PEOPLE[person], decision, "why", "ab" * 32, False, "2026-01-01", 1)


ANY = st.builds(signed, st.sampled_from(sorted(PEOPLE)), st.sampled_from(DECISIONS))
STARTERS = st.sampled_from(["scheduler", *PEOPLE])


def test_nothing_is_decided_without_sign_offs():
    assert outcome(CHARTER, []) is None


@pytest.mark.parametrize("order", list(permutations(["maria", "ana", "joao"])))
def test_advance_needs_all_three_roles_in_any_order(order):
    signoffs = [signed(person, "advance") for person in order]
    assert [outcome(CHARTER, signoffs[:count]) for count in range(4)] == [None, None, None, "advance"]


@pytest.mark.parametrize(("person", "decision"), [("ana", "hold"), ("joao", "roll_back"), ("maria", "stop")])
def test_one_signature_is_enough_where_the_charter_says_so(person, decision):
    assert outcome(CHARTER, [signed(person, decision)]) == decision


def test_a_signature_for_another_decision_does_not_fill_a_quorum():
    signoffs = [signed("maria", "advance"), signed("joao", "advance"), signed("ana", "iterate")]
    assert outcome(CHARTER, signoffs) is None


def test_when_all_have_answered_and_nothing_has_its_quorum_the_outcome_is_hold():
    signoffs = [
        signed("maria", "advance"),
        signed("joao", "advance"),
        signed("ana", "advance"),
        signed("lena", "iterate"),
    ]
    split = [signoffs[0], signoffs[1], signed("ana", "iterate"), signed("lena", "advance")]
    assert outcome(CHARTER, split) == "hold"
    assert outcome(CHARTER, split[:3]) is None


def test_two_people_of_one_role_count_once():
    signoffs = [signed("lena", "hold"), signed("nils", "iterate"), signed("ana", "iterate")]
    assert outcome(CHARTER, signoffs) is None
    assert len(counted(CHARTER, signoffs, "")) == 2


def test_a_person_who_is_not_in_the_charter_or_claims_another_role_does_not_count():
    strangers = [signed("eve", "stop", "sponsor"), signed("joao", "stop", "sponsor")]
    assert outcome(CHARTER, strangers) is None


def test_a_role_only_the_starter_holds_is_not_waited_for():
    assert asked(CHARTER, "maria") == {"business_owner", "operations", "engineering"}
    assert asked(CHARTER, "lena") == {"sponsor", "business_owner", "operations", "engineering"}
    assert out_of_reach(CHARTER, "maria") == {"advance": ("sponsor",), "stop": ("sponsor",)}
    assert out_of_reach(CHARTER, "scheduler") == {}
    signoffs = [signed("ana", "advance"), signed("joao", "advance"), signed("lena", "advance")]
    assert outcome(CHARTER, signoffs, "maria") == "hold"


@settings(deadline=None)
@given(st.lists(ANY, max_size=8), ANY, STARTERS)
def test_one_more_signature_never_undoes_or_changes_a_decision(signoffs, another, starter):
    before = outcome(CHARTER, signoffs, starter)
    if before is not None:
        assert outcome(CHARTER, [*signoffs, another], starter) == before


@settings(deadline=None)
@given(st.lists(ANY, max_size=8), STARTERS)
def test_advance_is_never_reached_without_each_required_role_having_signed_it(signoffs, starter):
    if outcome(CHARTER, signoffs, starter) == "advance":
        for role in SIGN["advance"]:
            assert any(one.role == role and one.decision == "advance" and one.person != starter for one in signoffs)


@settings(deadline=None)
@given(st.lists(ANY, max_size=8), STARTERS)
def test_signing_twice_changes_nothing(signoffs, starter):
    assert outcome(CHARTER, [one for one in signoffs for _ in range(2)], starter) == outcome(CHARTER, signoffs, starter)


@settings(deadline=None)
@given(st.lists(ANY, max_size=8), STARTERS)
def test_the_quorum_agrees_with_a_plain_reading_of_its_rule(signoffs, starter):
    """An oracle without sets or early ends: replay the answers and ask after each whether a row of `sign` is full."""
    first = {}
    for one in signoffs:
        fresh = one.role not in {other.role for other in first.values()} and one.person not in first
        if one.person != starter and one.role != "compliance" and fresh:
            first[one.person] = one
    answers, expected = {}, None
    for one in first.values():
        answers[one.role] = one.decision
        full = [name for name, roles in SIGN.items() if all(answers.get(role) == name for role in roles)]
        if expected is None and full:
            expected = full[0]
    free = {role for who, role in PEOPLE.items() if who != starter and role != "compliance"}
    if expected is None and answers and set(answers) == free:
        expected = "hold"
    assert outcome(CHARTER, signoffs, starter) == expected
