from itertools import chain, combinations, product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.accounts import (
    change_rights,
    deactivate,
    find_user,
    may,
    note_export,
    people_of,
    projects_of,
    require,
    role_of,
)
from pipeline.accounts.rights import PERMISSIONS
from pipeline.charter import Person
from pipeline.errors import Refused
from pipeline.ledger import Ledger
from tests.accounts.sites import Clock, bodies, join, lend
from tests.review.cases import a_charter, kinds, start

STANDINGS = ("named", "delegate", "auditor", "admin")
SUBSETS = [frozenset(one) for one in chain.from_iterable(combinations(STANDINGS, size) for size in range(5))]
#: Of these there are deactivated people too.
GONE = [one for one in SUBSETS if len(one) in {1, 4}]
WHO = st.one_of(st.tuples(st.sampled_from(SUBSETS), st.just(True)), st.tuples(st.sampled_from(GONE), st.just(False)))
ACTIONS = ("view", "sign", "delegate", "export", "administer")

#: Written down on its own, cell by cell: what each standing may do in the project it is about.
TABLE = {
    #            view   sign   delegate export administer
    "named":    (True,  True,  True,    True,  False),
    "delegate": (True,  True,  False,   False, False),
    "auditor":  (True,  False, False,   True,  False),
    "admin":    (True,  False, False,   True,  True),
}  # fmt: skip
#: What remains by a token that may only look.
LOOKING = (True, False, False, True, False)
#: What remains where a person is neither named nor a delegate: the rights over the site alone.
ELSEWHERE = {"auditor": TABLE["auditor"], "admin": TABLE["admin"]}


def identity(standings, active):
    return f"user-{''.join(sorted(one[:2] for one in standings))}{'' if active else '-gone'}".lower()


def expected(standings, action, *, read_only, active, here):
    column = ACTIONS.index(action)
    table = TABLE if here else ELSEWHERE
    granted = any(table[one][column] for one in standings if one in table)
    return active and granted and (LOOKING[column] or not read_only)


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """A site with a person for every set of standings, active and deactivated; ``other`` names none of them."""
    with Ledger(f"sqlite:///{tmp_path_factory.mktemp('rights') / 'ledger.db'}", now=Clock()) as ledger:
        everybody = [*((standings, True) for standings in SUBSETS), *((standings, False) for standings in GONE)]
        named = [identity(*one) for one in everybody if "named" in one[0]]
        givers = {identity(*one): f"giver{number}" for number, one in enumerate(everybody) if "delegate" in one[0]}
        people = [
            {"id": who, "name": who, "role": "operations", "channel": "mail"}
            for who in ("maria", "ana", *named, *givers.values())
        ]
        people[0]["role"], people[1]["role"] = "sponsor", "business_owner"
        start(ledger, a_charter(people=people))
        start(ledger, a_charter(project="other"))
        join(ledger, "boss", admin=True)
        for admin, auditor in product((True, False), repeat=2):
            alike = [one for one in everybody if ("admin" in one[0], "auditor" in one[0]) == (admin, auditor)]
            join(ledger, *(identity(*one) for one in alike), admin=admin, auditor=auditor)
        for standings, active in everybody:
            who = identity(standings, active)
            if who in givers:
                lend(ledger, givers[who], who)
            if not active:
                deactivate(ledger, who, by="boss")
        yield ledger


@settings(deadline=None)
@given(WHO, st.sampled_from(ACTIONS), st.booleans(), st.sampled_from(["shop", "other", "", "nowhere", "\x00"]))
def test_the_table_agrees_with_the_one_written_down_here(site, who, action, read_only, project):
    standings, active = who
    user = find_user(site, identity(standings, active))
    want = expected(standings, action, read_only=read_only, active=active, here=project == "shop")
    assert may(site, user, action, project, read_only=read_only) == want


def test_every_action_and_standing_is_in_both_tables():
    assert set(PERMISSIONS) == set(ACTIONS)
    assert set().union(*PERMISSIONS.values()) == set(TABLE)


@settings(deadline=None, max_examples=30)
@given(WHO)
def test_people_see_the_projects_they_belong_to_and_no_others(site, who):
    standings, active = who
    user = find_user(site, identity(standings, active))
    everything = {"admin", "auditor"} & standings
    shown = {"other", "shop"} if everything else {"shop"} if standings else set()
    assert set(projects_of(site, user)) == (shown if active else set())
    assert all(may(site, user, "view", project) for project in projects_of(site, user))


def test_a_role_is_the_newest_charters_and_an_admin_has_none(ledger):
    join(ledger, "boss", admin=True)
    join(ledger, "ana", "eve")
    start(ledger, a_charter())
    assert role_of(ledger, find_user(ledger, "ana"), "shop") == "business_owner"
    assert role_of(ledger, find_user(ledger, "boss"), "shop") is None
    assert not may(ledger, find_user(ledger, "boss"), "sign", "shop")
    moved = [
        {"id": who, "name": who, "role": role, "channel": "mail"}
        for who, role in (("maria", "sponsor"), ("ana", "operations"), ("eve", "business_owner"))
    ]
    start(ledger, a_charter(people=moved), number=2)
    assert role_of(ledger, find_user(ledger, "ana"), "shop") == "operations"
    assert role_of(ledger, find_user(ledger, "eve"), "shop") == "business_owner"
    assert all(isinstance(person, Person) for person in people_of(ledger, "shop"))
    assert people_of(ledger, "nowhere") == ()


def test_rights_are_those_of_now_not_of_the_object_handed_in(ledger):
    join(ledger, "boss", "deputy", admin=True)
    stale = find_user(ledger, "deputy")
    change_rights(ledger, "deputy", by="boss", admin=False, auditor=False)
    assert not may(ledger, stale, "administer")


def test_a_refusal_is_an_event_and_says_nothing_of_whether_the_project_exists(ledger):
    join(ledger, "boss", admin=True)
    join(ledger, "eve")
    start(ledger, a_charter())
    eve, words = find_user(ledger, "eve"), []
    for project in ("shop", "nowhere"):
        with pytest.raises(Refused) as caught:
            require(ledger, eve, "view", project)
        words.append(str(caught.value).replace(project, "X"))
    assert words[0] == words[1]
    assert [body["action"] for body in bodies(ledger, "account.refused")] == ["view", "view"]
    require(ledger, find_user(ledger, "boss"), "view", "shop")
    assert kinds(ledger).count("account.refused") == 2


def test_an_export_is_an_event(ledger):
    join(ledger, "ana")
    start(ledger, a_charter())
    note_export(ledger, find_user(ledger, "ana"), "shop", "history")
    (event,) = ledger.events(kind="export.made")
    assert (event.actor, event.role, event.project, event.body) == (
        "ana",
        "business_owner",
        "shop",
        {"what": "history"},
    )
