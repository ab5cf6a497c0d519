import math
from dataclasses import replace
from datetime import UTC, datetime

from pipeline.charter import Charter, Person
from pipeline.compliance.controls import CHECKS, check, judge_controls, known_controls
from pipeline.compliance.inputs import ControlInputs
from pipeline.compliance.vouching import Vouched
from pipeline.verdicts import Verdict


def judged(inputs: ControlInputs, slug: str) -> Verdict:
    return next(verdict for verdict in verdicts(inputs) if verdict.gate == f"control.{slug}")


def verdicts(inputs: ControlInputs) -> list[Verdict]:
    nobody = Vouched((), (), datetime(2026, 11, 1, tzinfo=UTC))
    asked = known_controls().asked(inputs.charter)
    return [state.verdict for state in judge_controls(asked, inputs, nobody, "pilot")]


def test_every_known_control_is_judged_in_the_charters_order(inputs: ControlInputs) -> None:
    found = verdicts(inputs)
    assert [verdict.gate for verdict in found] == [f"control.{slug}" for slug in CHECKS]
    assert {verdict.outcome for verdict in found} == {"pass"}


def test_a_charter_may_name_only_controls_that_exist(charter: Charter) -> None:
    assert check(charter) == ()
    (advice,) = check(charter.model_copy(update={"controls": ("leakage", "four_eye")}))
    assert advice.path == ("controls", 1)
    assert "write 'four_eyes'" in advice.remedy


def test_a_set_nobody_knows_is_refused_with_the_nearest(charter: Charter) -> None:
    asked = charter.compliance.model_copy(update={"sets": ("base-line",)})
    (advice,) = check(charter.model_copy(update={"compliance": asked}))
    assert advice.path == ("compliance", "sets", 0)
    assert "write 'baseline'" in advice.remedy


def test_a_role_that_must_attest_must_be_held(charter: Charter) -> None:
    asked = charter.compliance.model_copy(update={"sets": ("nist-ai-rmf",)})
    found = check(charter.model_copy(update={"compliance": asked}))
    assert {advice.found for advice in found} == {"nobody with the role business_owner, who attests to intended_use"}


def test_doing_without_a_model_must_be_measured_twice(inputs: ControlInputs) -> None:
    once = replace(inputs, baselines={"today": 0.08, "broken": math.nan})
    assert judged(once, "non_ml_alternative").blocks
    assert judged(replace(inputs, model=math.nan), "non_ml_alternative").blocks


def test_the_best_alternative_is_shown_even_when_it_beats_the_model(inputs: ControlInputs) -> None:
    good = judged(inputs, "non_ml_alternative")
    assert "the best, seasonal naive, gave stockout rate of 0.07, the model 0.05: the model is better" in good.reason
    beaten = judged(replace(inputs, model=0.075), "non_ml_alternative")
    assert beaten.outcome == "pass"
    assert "as good or better" in beaten.reason


def test_controls_on_data_repeat_the_assessments_verdict(inputs: ControlInputs) -> None:
    failed = tuple(replace(verdict, outcome="fail", reason="lag_0 leaks.") for verdict in inputs.assessment)
    for slug in ("leakage", "quarantine_bounded"):
        assert judged(replace(inputs, assessment=failed), slug).reason == "lag_0 leaks."
        assert judged(replace(inputs, assessment=failed), slug).blocks
        assert judged(replace(inputs, assessment=()), slug).blocks


def test_a_pickle_under_a_harmless_name_is_found(inputs: ControlInputs) -> None:
    (inputs.model_directory / "model.txt").write_bytes(b"\x80\x04\x95")
    verdict = judged(inputs, "safe_model_format")
    assert verdict.blocks
    assert "model.txt: it is a pickle" in verdict.reason


def people(charter: Charter, *persons: tuple[str, str, str]) -> Charter:
    made = tuple(Person(id=one, name=name, role=role, channel="mail") for one, name, role in persons)  # type: ignore[arg-type]
    return charter.model_copy(update={"people": made})


def test_two_ids_of_one_person_are_two_eyes_only(inputs: ControlInputs) -> None:
    same = people(inputs.charter, ("sofia", "Sofia Sole", "sponsor"), ("sole", "sofia  sole", "operations"))
    assert judged(replace(inputs, charter=same), "four_eyes").blocks


def test_one_role_is_not_four_eyes_and_a_vacant_role_is_named(inputs: ControlInputs) -> None:
    lone = inputs.charter.model_copy(update={"sign": {"advance": ("sponsor", "sponsor")}})
    assert judged(replace(inputs, charter=lone), "four_eyes").blocks
    silent = inputs.charter.model_copy(update={"sign": {}})
    assert judged(replace(inputs, charter=silent), "four_eyes").blocks
    vacant = people(inputs.charter, ("sofia", "Sofia", "sponsor"), ("omar", "Omar", "engineering"))
    assert "Nobody holds the role operations" in judged(replace(inputs, charter=vacant), "four_eyes").reason


def test_personal_data_is_named_by_table_and_column_and_never_repeated(inputs: ControlInputs) -> None:
    samples = {"sales": {"store": ("S001",), "note": ("ask jane@example.com",)}, "staff": {"last_name": ()}}
    verdict = judged(replace(inputs, samples=samples), "personal_data")
    assert verdict.blocks
    assert "sales.note (holds e-mail addresses), staff.last_name (named like a person's data)" in verdict.reason
    assert "jane" not in verdict.reason


def test_without_any_column_there_is_nothing_to_vouch_for(inputs: ControlInputs) -> None:
    assert judged(replace(inputs, samples={}), "personal_data").blocks
