import hashlib
import json
from datetime import date
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from pipeline.charter import Charter, charter_from_canonical, read_charter

TODAY = date(2026, 11, 23)


def _leaves(value: Any, path: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    pairs = (
        list(value.items()) if isinstance(value, dict) else list(enumerate(value)) if isinstance(value, list) else []
    )
    return [leaf for key, child in pairs for leaf in _leaves(child, (*path, key))] if pairs else [path]


def _shuffled(value: Any, draw: st.DrawFn) -> Any:
    if isinstance(value, dict):
        keys = draw(st.permutations(list(value)))
        return {key: _shuffled(value[key], draw) for key in keys}
    if isinstance(value, list):
        return [_shuffled(element, draw) for element in value]
    return value


@st.composite
def layouts(draw: st.DrawFn, canonical: dict[str, Any]) -> str:
    """A charter's values in another order of keys, style and width, with comments and blank lines."""
    values = _shuffled(canonical, draw)
    text = yaml.safe_dump(
        values,
        sort_keys=False,
        default_flow_style=draw(st.sampled_from([None, False])),
        indent=draw(st.integers(2, 6)),
        width=draw(st.sampled_from([40, 80, 100_000])),
        allow_unicode=draw(st.booleans()),
        explicit_start=draw(st.booleans()),
    )
    if draw(st.booleans()):
        text = json.dumps(values, indent=draw(st.sampled_from([None, 2])))  # YAML 1.2 holds all of JSON
    return f"# {draw(st.sampled_from(['one', 'another']))}\n\n{text}\n# the end\n"


@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_the_digest_does_not_see_the_order_of_keys_comments_or_layout(
    data: st.DataObject, charter: Charter, tmp_path_factory: pytest.TempPathFactory
) -> None:
    text = data.draw(layouts(charter.canonical()))
    file = tmp_path_factory.getbasetemp() / "layout.yaml"
    file.write_text(text, encoding="utf-8")
    again = read_charter(file, TODAY)
    assert again == charter
    assert again.digest == charter.digest


def _other(value: Any) -> Any:
    """Another value of the same type that most fields may hold."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, int):
        return value + 1
    if isinstance(value, float):
        return value / 2 or 0.5
    return f"{value}x"


def test_the_digest_changes_with_any_value(fresh: dict[str, Any], charter: Charter) -> None:
    seen, skipped = {charter.digest}, []
    for path in _leaves(fresh):
        here = fresh
        for step in path[:-1]:
            here = here[step]
        kept = here[path[-1]]
        if kept is None or kept == {}:
            continue
        here[path[-1]] = _other(kept)
        try:
            digest = charter_from_canonical(fresh).digest
        except Exception:  # noqa: BLE001 (a word of a fixed list or a date has no such neighbour)
            skipped.append(path[-1])
        else:
            assert digest not in seen, path
            seen.add(digest)
        here[path[-1]] = kept
    assert len(seen) > 100
    fixed = {"direction", "role", "period", "train_on", "deadline", "last_reviewed", "currency", "priority", "enter"}
    fixed |= {"controls", "personal_data", "slices", "risk_class", "outside_training"}
    assert {key for key in skipped if isinstance(key, str)} <= fixed


def test_the_digest_of_a_charter_is_that_of_its_canonical_json(charter: Charter) -> None:
    text = json.dumps(charter.canonical(), sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    assert charter.digest == hashlib.sha256(text.encode("utf-8")).hexdigest()


def test_a_charter_cannot_be_changed_in_place(charter: Charter) -> None:
    with pytest.raises(ValidationError, match="frozen"):
        charter.kpi.target = 0.5  # type: ignore[misc]


def test_the_ladder_is_climbed_and_descended_one_rung_at_a_time(charter: Charter) -> None:
    assert [stage.name for stage in charter.stages] == ["pilot", "regional", "chain"]
    assert charter.stage_after("pilot") == charter.stage("regional")
    assert charter.stage_after("chain") is None
    assert charter.stage_before("regional") == charter.stage("pilot")
    assert charter.stage_before("pilot") is None
    with pytest.raises(KeyError):
        charter.stage("galaxy")


def test_people_are_found_by_the_identity_they_sign_with(charter: Charter) -> None:
    person = charter.person("ana.silva")
    assert person is not None
    assert person.role == "business_owner"
    assert charter.person("nobody") is None
