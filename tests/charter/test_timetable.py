"""Schedules and retraining rules as `landed check` judges them."""

from collections.abc import Callable
from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest
from cronsim import CronSim
from hypothesis import given
from hypothesis import strategies as st

from pipeline.charter import Charter, charter_from_canonical
from pipeline.charter.checks import check_charter
from pipeline.charter.rules import metrics_of, parse
from pipeline.charter.timetable import cron_fault, zone_fault
from pipeline.errors import Finding

Refuse = Callable[..., dict[str, Finding]]
ZONE = "  time_zone: Europe/Lisbon "
RETRAIN = '  retrain: "0 6 * * 1" '
WHEN = "  when: drift_share > 0.3 for 2 periods or kpi worse than target for 2 periods\n"


@pytest.mark.parametrize(
    ("old", "new", "field", "found", "remedy"),
    [
        (ZONE, "  time_zone: Europe/Lisboa@@ ", "schedule.time_zone", "no time zone", "did you mean `Europe/Lisbon`?"),
        (ZONE, "  time_zone: ../etc@@ ", "schedule.time_zone", "no time zone", "IANA"),
        (RETRAIN, '  retrain: "0 6 * *"@@ ', "schedule.retrain", "4 fields instead of five", '"0 6 * * 1"'),
        (RETRAIN, '  retrain: "0 25 * * 1"@@ ', "schedule.retrain", "bad hour", "minute, hour"),
        (RETRAIN, '  retrain: "0 6 31 2 *"@@ ', "schedule.retrain", "bad day-of-month", "minute, hour"),
        (RETRAIN, '  retrain: "@daily * * * *"@@ ', "schedule.retrain", "`@daily` as the minute", "minute, hour"),
        (
            WHEN,
            "  when: drift_share > 0.3 for 2 weeks@@\n",
            "retrain.when",
            "`weeks` at character 25",
            "write `periods`",
        ),
        (WHEN, "  when: turnover > 3 for 2 periods@@\n", "retrain.when", "`turnover` at character 1", "lost_units"),
        ("  clear_after: 2 ", "  clear_after: 0@@ ", "retrain.clear_after", "0", "at least 1"),
        ("  cool_down: 4 ", "  cool_dow: 4@@ ", "retrain.cool_dow", "unknown key", "did you mean `cool_down`?"),
    ],
)  # fmt: skip
def test_a_fault_names_line_finding_and_remedy(
    refuse: Refuse, old: str, new: str, field: str, found: str, remedy: str
) -> None:
    finding = refuse((old, new))[field]
    assert found in finding.found
    assert remedy in finding.remedy


def test_a_charter_without_the_sections_has_no_schedule_and_a_sound_rule(charter: Charter) -> None:
    values = {name: value for name, value in charter.canonical().items() if name not in ("schedule", "retrain")}
    bare = charter_from_canonical(values)
    assert (bare.schedule.retrain, bare.schedule.monitor, bare.schedule.time_zone) == (None, None, "UTC")
    assert parse(bare.retrain.when, metrics_of(bare)).clauses
    assert check_charter(bare, date(2026, 11, 23)) == ()


def test_the_rule_knows_the_direction_of_what_it_names(charter: Charter) -> None:
    metrics = metrics_of(charter)
    lower = parse("kpi worse than target for 1 period", metrics).clauses[0]
    assert (lower.metric, lower.operator, lower.limit) == ("stockout_rate", ">", "target")
    goal = charter.kpi.model_copy(update={"direction": "higher"})
    higher = parse(
        "kpi worse than baseline for 1 period", metrics_of(charter.model_copy(update={"kpi": goal}))
    ).clauses[0]
    assert (higher.operator, higher.limit) == ("<", "baseline")


@pytest.mark.parametrize("text", ["0 6 * * 1", "*/15 * * * *", "0 0 29 2 *", "0 5 1,15 * MON-FRI", "0-30/10 1 * jan *"])
def test_what_has_a_next_moment_is_sound_and_every_scheduler_agrees_on_it(text: str) -> None:
    assert cron_fault(text) is None
    validate = pytest.importorskip("prefect._internal.schemas.validators").validate_cron_string
    assert validate(text) == text
    assert next(CronSim(text, datetime(2026, 1, 1, tzinfo=UTC)))


@given(
    st.text(max_size=30)
    | st.lists(st.sampled_from(["*", "0", "5-1", "*/0", "99", "L", "mon", "1#2"]), max_size=6).map(" ".join)
)
def test_any_text_is_judged(text: str) -> None:
    fault = cron_fault(text)
    assert fault is None or fault
    if fault is None:
        assert next(CronSim(text, datetime(2026, 1, 1, tzinfo=UTC)))


@given(st.text(max_size=20))
def test_any_name_of_a_zone_is_judged(name: str) -> None:
    if zone_fault(name) is None:
        assert ZoneInfo(name)
