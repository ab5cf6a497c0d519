"""``landed people``, and who may sign on the command line once there are accounts."""

import re
from datetime import UTC, datetime, timedelta

import pytest
from typer.testing import CliRunner

from pipeline.accounts import find_user, make_token
from pipeline.cli import app
from pipeline.ledger import Ledger, verify
from pipeline.settings import Settings
from tests.accounts.sites import GOOD, join
from tests.cli.calling import assert_refused, landed, sign

DAY = datetime.now(UTC).date()


@pytest.fixture
def ledger(home):
    with Ledger(Settings().ledger) as opened:
        yield opened


def typed(*lines, command):
    """A command that asks for something, and what is typed in answer."""
    return CliRunner().invoke(app, list(command), input="".join(f"{line}\n" for line in lines))


def use_token(ledger, monkeypatch, who, **options):
    made = make_token(ledger, who, "laptop", **options)
    monkeypatch.setenv("LANDED_TOKEN", made.secret)
    return made


def test_the_first_admin_is_made_on_the_machine_by_a_link_that_works_once(ledger):
    assert "There are no accounts" in landed("people", "list").stdout
    made = landed("people", "invite", "ana.silva", "--name", "Ana Silva", "--admin")
    assert made.exit_code == 0, made.output
    link = re.search(r"\S+/invitation/(\S+)", made.stdout)
    accepted = typed(link[0], GOOD, GOOD, command=["people", "accept", "ana.silva"])
    assert accepted.exit_code == 0, accepted.output
    assert GOOD not in accepted.output
    assert find_user(ledger, "ana.silva").has_password
    again = typed(link[0], command=["people", "accept", "ana.silva"])
    assert_refused(again, 4, "link", "ask an administrator")
    shown = landed("people", "list").stdout
    assert "ana.silva" in shown
    assert "admin" in shown
    assert verify(ledger).intact


def test_a_link_of_another_person_is_refused(ledger):
    link = re.search(r"/invitation/(\S+)", landed("people", "invite", "ana.silva").stdout)[1]
    assert_refused(typed(link, command=["people", "accept", "bea"]), 4, "no valid link of bea")


COMMANDS = [
    ["invite", "bea"], ["invite", "boss", "--reset"], ["deactivate", "boss"], ["reactivate", "boss"],
    ["delegate", "p", "bea", "--to", str(DAY)], ["delegate", "--end", "abc"],
]  # fmt: skip


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_once_there_are_accounts_nothing_is_changed_on_a_claim(ledger, monkeypatch, command):
    join(ledger, "boss", admin=True)
    join(ledger, "eve")
    assert_refused(landed("people", *command, "--as", "boss"), 4, "this installation has accounts", "LANDED_TOKEN")
    before = find_user(ledger, "boss")
    use_token(ledger, monkeypatch, "eve")
    assert landed("people", *command).exit_code == 4
    assert find_user(ledger, "boss") == before
    assert find_user(ledger, "bea") is None


def test_an_admins_token_invites_deactivates_and_reactivates(ledger, monkeypatch):
    join(ledger, "boss", admin=True)
    use_token(ledger, monkeypatch, "boss")
    assert landed("people", "invite", "bea", "--auditor").exit_code == 0
    assert find_user(ledger, "bea").auditor
    assert landed("people", "deactivate", "bea").exit_code == 0
    assert not find_user(ledger, "bea").active
    assert_refused(landed("people", "deactivate", "boss"), 4, "only administrator")
    assert landed("people", "reactivate", "bea").exit_code == 0
    assert find_user(ledger, "bea").active
    assert_refused(landed("people", "deactivate", "nobody"), 4, "no such account")


def test_tokens_are_made_by_password_listed_and_revoked(ledger, monkeypatch, tmp_path):
    join(ledger, "ana")
    assert_refused(typed("wrong", command=["people", "tokens", "--new", "x", "--as", "ana"]), 4, "do not fit")
    made = typed(GOOD, command=["people", "tokens", "--new", "laptop", "--days", "5", "--as", "ana"])
    assert made.exit_code == 0, made.output
    secret = re.search(r"landed_\S+", made.stdout)[0]
    file = tmp_path / "token"
    file.write_text(f"{secret}\n", encoding="utf-8")
    file.chmod(0o644)
    monkeypatch.setenv("LANDED_TOKEN_FILE", str(file))
    assert_refused(landed("people", "tokens"), 5, "LANDED_TOKEN_FILE", "chmod")
    file.chmod(0o600)
    shown = landed("people", "tokens")
    assert shown.exit_code == 0, shown.output
    assert "laptop" in shown.stdout
    assert secret not in shown.stdout
    token_id = re.search(r"^\s*([0-9a-f]{12})", shown.stdout, re.MULTILINE)[1]
    assert landed("people", "tokens", "--revoke", token_id).exit_code == 0
    assert_refused(landed("people", "tokens"), 4, "was revoked")


def test_trust_in_the_machine_makes_no_tokens(ledger, monkeypatch):
    join(ledger, "ana")
    monkeypatch.setenv("LANDED_TRUST_LOCAL", "true")
    assert_refused(typed("guess", command=["people", "tokens", "--new", "x", "--as", "ana"]), 4, "do not fit")


def test_delegating_needs_its_words(ledger):
    refused = landed("people", "delegate", "shop")
    assert refused.exit_code == 2
    assert "--to" in refused.stderr


# ---- signing --------------------------------------------------------------------------------------------------


def test_with_accounts_a_signature_needs_the_signers_token(review, ledger, monkeypatch):
    join(ledger, "maria.costa", "ana.silva")
    assert_refused(sign(review, "maria.costa"), 4, "this installation has accounts", "LANDED_TRUST_LOCAL=true")
    use_token(ledger, monkeypatch, "maria.costa")
    assert_refused(sign(review, "ana.silva"), 4, "the token is maria.costa's")
    signed = sign(review, "maria.costa", "advance")
    assert signed.exit_code == 0, signed.output
    looking = make_token(ledger, "ana.silva", "looking", read_only=True)
    monkeypatch.setenv("LANDED_TOKEN", looking.secret)
    assert_refused(sign(review, "ana.silva"), 4, "may only look")


def test_the_owner_of_the_installation_may_trust_its_users(review, ledger, monkeypatch):
    join(ledger, "maria.costa")
    monkeypatch.setenv("LANDED_TRUST_LOCAL", "true")
    assert sign(review, "maria.costa", "advance").exit_code == 0


def test_a_delegate_signs_for_the_person_who_handed_the_role_over(review, ledger, monkeypatch):
    join(ledger, "maria.costa", "ben")
    project = review.project
    use_token(ledger, monkeypatch, "maria.costa")
    handed = landed("people", "delegate", project, "ben", "--to", DAY + timedelta(days=3))
    assert handed.exit_code == 0, handed.output
    assert "maria.costa's role (sponsor)" in handed.stdout
    listed = landed("people", "list").stdout
    assert all(word in listed for word in ("sponsor", "maria.costa", "ben", str(DAY + timedelta(days=3))))
    use_token(ledger, monkeypatch, "ben")
    signed = sign(review, "ben", "advance", more=["--for", "maria.costa"])
    assert signed.exit_code == 0, signed.output
    assert "ben for maria.costa signed advance" in signed.stdout
    made = re.search(r"--end (\S+)", handed.stdout)[1]
    assert landed("people", "delegate", "--end", made).exit_code == 0
    assert_refused(landed("people", "delegate", "--end", "nonsense"), 4, "no such delegation")
    assert verify(ledger).intact
