import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.charter import Advice, Charter, charter_from_canonical, read_charter
from pipeline.errors import CharterError, Finding

CONFIGS = Path(__file__).parents[2] / "configs"
REPLENISHMENT = CONFIGS / "replenishment" / "charter.yaml"
VN2 = CONFIGS / "vn2" / "charter.yaml"
TODAY = date(2026, 11, 23)
Refuse = Callable[..., dict[str, Finding]]


@dataclass(frozen=True)
class Case:
    """One wrong edit and the single finding it must give."""

    name: str
    old: str
    new: str
    path: str
    found: str
    remedy: str


CASES = [
    Case(
        "target missing",
        "  target: 0.042  ",
        "  #",
        "kpi.target",
        "the key is missing",
        "without a number.*could say later",
    ),
    Case(
        "target empty",
        "  target: 0.042  ",
        "  target: @@ #",
        "kpi.target",
        "nothing",
        "`target: 0.042`.*without a number",
    ),
    Case("target a wish", "  target: 0.042", "  target: low@@", "kpi.target", "the text 'low'", "a number.*0.042"),
    Case(
        "target quoted",
        "  target: 0.042",
        "  target: '0.042'@@",
        "kpi.target",
        "the text",
        "without quotes.*`target: 0.042`",
    ),
    Case(
        "target per cent", "  target: 0.042", "  target: 4.2 %@@", "kpi.target", "the text '4.2 %'", "`target: 0.042`"
    ),
    Case("target decimal comma", "  target: 0.042", "  target: 0,042@@", "kpi.target", "'0,042'", "`target: 0.042`"),
    Case("target true", "  target: 0.042", "  target: true@@", "kpi.target", "true, which is a yes or no", "a number"),
    Case("target NaN", "  target: 0.042", "  target: .nan@@", "kpi.target", "nan", "finite number"),
    Case("target infinite", "  target: 0.042", "  target: -.inf@@", "kpi.target", "-inf", "finite number"),
    Case("target too large", "  target: 0.042", "  target: 1e999@@", "kpi.target", "inf", "finite number"),
    Case(
        "target 4.2 of a share", "  target: 0.042 ", "  target: 4.2@@ ", "kpi.target", "4.2, though the unit", "0.042"
    ),
    Case(
        "baseline typed",
        "  baseline:\n    policy: incumbent                 # today's rule.",
        "  baseline: 0.08@@\n  x:\n    policy: incumbent                 # today's rule.",
        "kpi.baseline",
        "the number 0.08",
        "policy: incumbent.*measured_over.*baseline is a policy.*played on the same units",
    ),
    Case(
        "baseline typed inside",
        "    measured_over: 26 ",
        "    measured_over: 26\n    value: 0.08@@ ",
        "kpi.baseline.value",
        "unknown key `value` with a typed number",
        "remove it.*a policy",
    ),
    Case(
        "baseline policy missing",
        "    policy: incumbent",
        "    #",
        "kpi.baseline.policy",
        "missing",
        "so that it can be measured",
    ),
    Case(
        "deadline missing",
        "  deadline: 2027-12-31\n",
        "",
        "kpi.deadline",
        "missing",
        "deadline: 2027-12-31.*without a date",
    ),
    Case("deadline a word", "deadline: 2027-12-31", "deadline: soon@@", "kpi.deadline", "'soon'", "YYYY-MM-DD"),
    Case(
        "deadline no day",
        "deadline: 2027-12-31",
        "deadline: 2027-02-30@@",
        "kpi.deadline",
        "'2027-02-30'",
        "YYYY-MM-DD",
    ),
    Case(
        "deadline past",
        "deadline: 2027-12-31",
        "deadline: 2026-11-22@@",
        "kpi.deadline",
        "is past; today is 2026-11-23",
        "agree on a new date",
    ),
    Case("owner missing", "  owner: ana.silva ", "  #", "kpi.owner", "missing", "without an owner"),
    Case("owner nobody", "  owner: ana.silva", "  owner: bob@@", "kpi.owner", "'bob', who is not among", "ana.silva"),
    Case("goal missing", "kpi:\n", "goal:@@\n", "goal", "unknown key `goal`", "remove it, or use one of: project"),
    Case("unknown key at the top", "title:", "titel:@@", "titel", "unknown key `titel`", "did you mean `title`"),
    Case(
        "unknown key inside",
        "  unit: share                         #",
        "  units: share@@ #",
        "kpi.units",
        "unknown key",
        "did you mean `unit`",
    ),
    Case(
        "python name for a key",
        "  in:\n",
        "  included:@@\n",
        "scope.included",
        "unknown key",
        "one of: in, out, leave_out",
    ),
    Case("key twice", "title:", "project: again@@\ntitle:", "project", "a second time", "first stands on line 10"),
    Case("yes for a number", "  priority: 1 ", "  priority: true@@ ", "strategy.priority", "yes or no", "whole number"),
    Case("fraction for a count", "  priority: 1 ", "  priority: 1.5@@ ", "strategy.priority", "1.5", "whole number"),
    Case(
        "priority out of range", "  priority: 1 ", "  priority: 9@@ ", "strategy.priority", "the number 9", "at most 5"
    ),
    Case(
        "wrong direction",
        "  direction: lower                    #",
        "  direction: down@@ #",
        "kpi.direction",
        "'down'",
        "lower, higher",
    ),
    Case(
        "unknown role",
        "role: operations,",
        "role: operation,@@",
        "people[joao.pinto].role",
        "'operation'",
        "did you mean `operations`",
    ),
    Case(
        "unknown decision",
        "  hold: [business_owner]   ",
        "  hodl: [business_owner]@@   ",
        "sign.hodl",
        "key `hodl`",
        "did you mean `hold`",
    ),
    Case(
        "capital letters in an id", "{id: ana.silva,", "{id: Ana,@@", "people[Ana].id", "'Ana'", "letters, digits, dots"
    ),
    Case("capital letters", "project: smart-replenishment", "project: Smart@@", "project", "'Smart'", "lower-case"),
    Case("currency", "currency: EUR", "currency: euro@@", "budget.currency", "'euro'", "three capital letters"),
    Case(
        "empty pain point",
        "decision: >-\n",
        "decision: short@@\nx: >-\n",
        "decision",
        "'short'",
        "at least 20 characters",
    ),
    Case(
        "text for a list",
        "  in:\n    - weekly orders of the stores for all listed products",
        "  in: all@@",
        "scope.in",
        "'all'",
        "a list",
    ),
    Case(
        "empty list",
        "  in:\n    - weekly orders of the stores for all listed products",
        "  in: []@@",
        "scope.in",
        "a list of 0",
        "at least 1",
    ),
    Case("number for text", "out:\n", "out:\n    - 7@@\n", "scope.out[#1]", "the number 7", "in quotes"),
    Case(
        "list for a section",
        "  leave_out: {} ",
        "  leave_out: []@@ ",
        "scope.leave_out",
        "a list of 0",
        "keys and values",
    ),
    Case(
        "no parameter value",
        "{service_level: 0.92}",
        "{service_level: }@@",
        "policy.parameters.service_level",
        "nothing",
        "a number",
    ),
    Case(
        "NaN parameter",
        "{service_level: 0.92}",
        "{service_level: .NaN}@@",
        "policy.parameters.service_level",
        "nan",
        "finite",
    ),
    Case("tag", "title:", "title: !!python/name:os.system ''@@\nx:", "title", "python/name:os.system", "without a tag"),
    Case(
        "number for a key",
        "  leave_out: {} ",
        "  leave_out: {1: [a]}@@ ",
        "scope.leave_out",
        "a key `1` that is not text",
        "quotes",
    ),
    Case("half a character", "title: ", 'title: "\\ud800"@@ #', "title", "cannot be read", "plain text"),
    Case("digits without end", "seed: 20260", f"seed: {'9' * 40}@@", "seed", "cannot be read", "number"),
    Case("negative seed", "seed: 20260", "seed: -1@@", "seed", "-1", "at least 0"),
    Case(
        "reviewed tomorrow",
        "last_reviewed: 2026-10-05",
        "last_reviewed: 2026-11-24@@",
        "strategy.last_reviewed",
        "future",
        "last looked at",
    ),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_wrong_value_is_told_with_its_place_what_was_found_and_what_to_write(refuse: Refuse, case: Case) -> None:
    finding = refuse((case.old, case.new))[case.path]
    assert re.search(re.escape(case.found), finding.found)
    assert re.search(case.remedy, finding.remedy, re.DOTALL)


def test_all_that_is_wrong_in_a_file_is_told_at_once_in_the_order_of_lines(refuse: Refuse) -> None:
    findings = refuse(
        ("title:", "titel:@@"),
        ("  target: 0.042 ", "  target: low@@ "),
        ("  deadline: 2027-12-31", "  deadline: 2025-12-31@@"),
        ("  unit: share                         #", "  units: share@@ #"),
        ("  sponsor: maria.costa", "  sponsor: nobody@@"),
        ("  hold: [business_owner] ", "  hold: []@@ "),
        ("    units: 50\n", "    units: 5@@\n"),
        ("  money: 250000", "  money: 100@@"),
    )
    assert sorted(findings) == sorted(
        [
            "title",
            "titel",
            "kpi.target",
            "kpi.unit",
            "kpi.units",
            "kpi.deadline",
            "strategy.sponsor",
            "sign.hold",
            "stages[regional].units",
            "budget.money",
        ]
    )
    lines = [int(re.search(r":(\d+) ", finding.place)[1]) for finding in findings.values()]
    assert lines == sorted(lines)


def test_a_missing_goal_part_points_at_the_section_it_is_missing_from(refuse: Refuse) -> None:
    assert list(refuse(("kpi:\n", "kpi:@@\n"), ("  deadline: 2027-12-31\n", ""))) == ["kpi.deadline"]


def test_a_deadline_today_is_not_yet_past() -> None:
    kpi = read_charter(REPLENISHMENT, TODAY).kpi
    read_charter(REPLENISHMENT, kpi.deadline)


UNREADABLE = [
    ("empty", b"", "", "the file is empty"),
    ("only comments", b"# nothing\n", "", "the file is empty"),
    ("a list", b"- a\n- b\n", ":1", "a list at the top"),
    ("a word", b"hello", ":1", "a single value at the top"),
    ("no YAML", b"a: 1\nb: [1, 2\nc: 3\n", ":3", "flow sequence"),
    ("a tab", b"a:\n\tb: 1\n", ":2", "cannot start any token"),
    ("latin-1", "a: 1\nb: João".encode("latin-1"), ":2", "byte 0xe3 is not UTF-8"),
    ("a control character", b"a: 1\nb: \x07\n", ":2", "which YAML forbids"),
    ("an anchor", b"a: &x [1]\nb: 2\n", ":1", "the anchor or alias `x`"),
    ("an alias", b"a: 1\nb: *x\n", ":2", "the anchor or alias `x`"),
    ("deep nesting", b"a: 1\nb: " + b"[" * 5000, ":2", "more than 20 levels"),
    ("two documents", b"a: 1\n---\nb: 2\n", ":2", "another document"),
    ("too large", b"# " + b"x" * 300_000, "", "more than 262,144 bytes"),
    ("binary", bytes(range(128, 256)), ":1", "not UTF-8"),
]


@pytest.mark.parametrize(("name", "raw", "place", "found"), UNREADABLE, ids=[case[0] for case in UNREADABLE])
def test_a_file_that_is_no_charter_is_refused(tmp_path: Path, name: str, raw: bytes, place: str, found: str) -> None:
    file = tmp_path / "charter.yaml"
    file.write_bytes(raw)
    with pytest.raises(CharterError) as caught:
        read_charter(file, TODAY)
    (finding,) = caught.value.findings
    assert finding.place == f"{file}{place}"
    assert found in finding.found
    assert finding.remedy


def test_a_billion_laughs_cost_nothing(tmp_path: Path) -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 12)]
    file = tmp_path / "charter.yaml"
    file.write_text("\n".join(lines))
    began = time.perf_counter()
    with pytest.raises(CharterError, match="anchor or alias"):
        read_charter(file, TODAY)
    assert time.perf_counter() - began < 1


def test_a_missing_file_and_a_directory_are_told_apart(tmp_path: Path) -> None:
    with pytest.raises(CharterError, match="there is no such file"):
        read_charter(tmp_path / "charter.yaml", TODAY)
    with pytest.raises(CharterError, match="a directory"):
        read_charter(tmp_path, TODAY)
    with pytest.raises(CharterError, match="cannot be read"):
        read_charter(REPLENISHMENT / "charter.yaml", TODAY)


def test_a_byte_order_mark_is_no_obstacle(tmp_path: Path, charter: Charter) -> None:
    file = tmp_path / "charter.yaml"
    file.write_bytes(b"\xef\xbb\xbf" + REPLENISHMENT.read_bytes())
    assert read_charter(file, TODAY) == charter


def test_words_yaml_1_1_would_turn_into_other_things_stay_words(tmp_path: Path) -> None:
    text = REPLENISHMENT.read_text(encoding="utf-8").replace("leave_out: {} ", "leave_out: {store: [no, on, 1:30]} ")
    file = tmp_path / "charter.yaml"
    file.write_text(text.replace("learning_rate: 0.06", "learning_rate: 6e-2"), encoding="utf-8")
    read = read_charter(file, TODAY)
    assert read.scope.leave_out == {"store": ("no", "on", "1:30")}
    assert read.model.candidates[0].parameters["learning_rate"] == 0.06


def test_advice_of_the_problem_joins_the_other_findings_with_its_line(tmp_path: Path) -> None:
    file = tmp_path / "charter.yaml"
    text = REPLENISHMENT.read_text(encoding="utf-8").replace("    units: 50\n", "    units: 5\n")
    file.write_text(text, encoding="utf-8")

    def advise(charter: Charter) -> tuple[Advice, ...]:
        return (Advice(("model", "candidates", 1, "features", 2), "what?", "another"), Advice((), "all", "nothing"))

    with pytest.raises(CharterError) as caught:
        read_charter(file, TODAY, advise)
    lines = text.splitlines()
    tweedie = next(n for n, line in enumerate(lines, start=1) if line.strip() == "algorithm: lightgbm_tweedie")
    units = next(n for n, line in enumerate(lines, start=1) if line == "    units: 5" and "regional" in lines[n - 2])
    assert [finding.place for finding in caught.value.findings] == [
        f"{file}:1",
        f"{file}:{tweedie + 1} model.candidates[tweedie].features[#3]",
        f"{file}:{units} stages[regional].units",
    ]


@pytest.mark.parametrize(("mistyped", "asked"), [("pain_point", True), ("people", True), ("policy", False)])
def test_the_problem_is_asked_too_unless_a_section_it_reads_is_at_fault(
    tmp_path: Path, mistyped: str, asked: bool
) -> None:
    text = REPLENISHMENT.read_text(encoding="utf-8")
    file = tmp_path / "charter.yaml"
    file.write_text(text.replace(f"\n{mistyped}:", f"\nx{mistyped}:"), encoding="utf-8")
    with pytest.raises(CharterError) as caught:
        read_charter(file, TODAY, lambda charter: (Advice(("kpi", "name"), "no such KPI", "another"),))
    assert any("kpi.name" in finding.place for finding in caught.value.findings) is asked
    assert len(caught.value.findings) >= 2


def test_advice_of_the_problem_alone_refuses_a_charter() -> None:
    with pytest.raises(CharterError, match=r"charter\.yaml:\d+ kpi\.name"):
        read_charter(REPLENISHMENT, TODAY, lambda charter: (Advice(("kpi", "name"), "no such KPI", "another"),))


@pytest.mark.parametrize("file", [REPLENISHMENT, VN2], ids=["replenishment", "vn2"])
def test_the_stored_form_gives_the_same_charter_back(file: Path) -> None:
    charter = read_charter(file, TODAY)
    again = charter_from_canonical(charter.canonical())
    assert again == charter
    assert again.digest == charter.digest


def test_a_stored_charter_past_its_deadline_can_still_be_read(fresh: dict) -> None:
    fresh["kpi"]["deadline"] = "2001-01-01"
    assert charter_from_canonical(fresh).kpi.deadline.year == 2001


def test_a_stored_form_that_was_changed_names_the_field(fresh: dict) -> None:
    del fresh["stages"][0]["units"]
    with pytest.raises(CharterError, match=r"stages\[pilot\]\.units: the key is missing"):
        charter_from_canonical(fresh)


def test_reading_takes_a_moment_only() -> None:
    began = time.perf_counter()
    for _ in range(10):
        read_charter(REPLENISHMENT, TODAY)
    assert (time.perf_counter() - began) / 10 < 0.5


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=200) | st.text(alphabet="abk:- []{}#&*!'\"\n\t01.~|>", max_size=120).map(str.encode))
def test_no_bytes_whatever_give_anything_but_a_charter_error(
    tmp_path_factory: pytest.TempPathFactory, raw: bytes
) -> None:
    file = tmp_path_factory.getbasetemp() / "any.yaml"
    file.write_bytes(raw)
    with pytest.raises(CharterError):
        read_charter(file, TODAY)


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


def _places(value: object, path: tuple = ()) -> list[tuple]:
    pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(place for key, child in pairs for place in _places(child, (*path, key)))]


@settings(max_examples=200, deadline=None)
@given(data=st.data())
def test_any_value_anywhere_gives_a_charter_or_findings_that_say_what_to_do(data: st.DataObject) -> None:
    values = read_charter(VN2, TODAY).canonical()
    path = data.draw(st.sampled_from(_places(values)[1:]))
    here = values
    for step in path[:-1]:
        here = here[step]
    here[path[-1]] = data.draw(_JSON)
    try:
        charter_from_canonical(values)
    except CharterError as error:
        findings = error.findings
    else:
        return
    assert findings
    assert all(finding.place and finding.found and finding.remedy for finding in findings)
