"""``landed controls``: list, attest, waive, as a person at the terminal meets them."""

import pytest

from pipeline.ledger import Ledger
from pipeline.settings import Settings
from tests.cli.calling import landed
from tests.flows.made import charter_values, write_yaml


@pytest.fixture
def charter(home):
    values = charter_values()
    values["compliance"] = {"risk_class": "high", "sets": ["eu-ai-act-high-risk"]}
    return write_yaml(home.root / "charter.yaml", values)


def test_the_list_says_what_is_asked_and_what_is_open(charter):
    shown = landed("controls", "list", charter)
    assert shown.exit_code == 0, shown.output
    assert "risk class high" in shown.output
    assert shown.output.count("! open") == 4
    assert "EU AI Act Art. 9" in shown.output
    assert "nothing here claims that a law is kept" in shown.output


def test_an_attestation_and_a_waiver_show_in_the_list(charter, tmp_path):
    risks = tmp_path / "risks.pdf"
    risks.write_text("risks")
    one = landed(
        "controls", "attest", charter, "risk_management", "--note", "Read.", "--document", risks, "--as", "omar.haddad"
    )
    assert one.exit_code == 0, one.output
    assert "omar.haddad, compliance, attests to risk_management" in one.output
    refused = landed("controls", "attest", charter, "data_governance", "--note", "Read.", "--as", "omar.haddad")
    assert refused.exit_code == 4
    assert "data_governance is for the role business_owner" in refused.output
    assert "ask ana.silva" in refused.output
    with Ledger(Settings().ledger) as ledger:
        until = ledger.now().date().isoformat()
    two = landed(
        "controls",
        "waive",
        charter,
        "risk_class_agreed",
        "--reason",
        "Not due.",
        "--until",
        until,
        "--as",
        "omar.haddad",
    )
    assert two.exit_code == 0, two.output
    shown = landed("controls", "list", charter).output
    assert "omar.haddad, " in shown
    assert "! waived" in shown
    assert shown.count("! open") == 2


def test_a_control_the_charter_does_not_ask_for_is_refused(charter):
    shown = landed("controls", "attest", charter, "risk_tolerance", "--note", "x", "--as", "omar.haddad")
    assert shown.exit_code == 4
    assert "the charter does not ask for it" in shown.output
