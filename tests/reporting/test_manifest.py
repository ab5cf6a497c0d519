import copy
import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter

from pipeline.evaluation.outcomes import Interval
from pipeline.reporting.evidence import Evidence
from pipeline.reporting.manifest import canonical, manifest, manifest_of, plain, report_digest


def leaves(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The paths of all values that hold no others."""
    if isinstance(value, dict) and value:
        return [leaf for key, item in value.items() for leaf in leaves(item, (*path, key))]
    if isinstance(value, list) and value:
        return [leaf for place, item in enumerate(value) for leaf in leaves(item, (*path, place))]
    return [path]


def changed(value: Any) -> Any:
    if isinstance(value, bool):
        return not value
    if isinstance(value, int | float):
        return value + 1
    if isinstance(value, str):
        return value + "x"
    return "something"


def test_the_charter_part_is_the_charters_own_digest(evidence: Evidence) -> None:
    assert manifest(evidence)["parts"]["charter"] == evidence.charter_digest == evidence.charter.digest


def test_the_manifest_names_the_five_parts(evidence: Evidence) -> None:
    parts = manifest(evidence)["parts"]
    assert list(parts) == ["charter", "data", "code", "model", "figures"]
    assert parts["data"] == evidence.data.digest
    assert parts["code"] == evidence.code_version
    assert parts["model"] == evidence.model.digest


@settings(max_examples=120, deadline=None)
@given(data=st.data())
def test_changing_any_single_value_changes_the_report_digest(evidence: Evidence, data: st.DataObject) -> None:
    twin = plain(evidence)
    path = data.draw(st.sampled_from(leaves(twin)))
    other = copy.deepcopy(twin)
    holder = other
    for key in path[:-1]:
        holder = holder[key]
    holder[path[-1]] = changed(holder[path[-1]])
    assert report_digest(manifest_of(other)) != report_digest(manifest_of(twin))


@settings(max_examples=60, deadline=None)
@given(part=st.sampled_from(["charter", "data", "code", "model", "figures"]), value=st.text(max_size=70))
def test_changing_any_part_changes_the_report_digest(evidence: Evidence, part: str, value: str) -> None:
    sealed = manifest(evidence)
    other = {**sealed, "parts": {**sealed["parts"], part: value}}
    assert (report_digest(other) == report_digest(sealed)) == (value == sealed["parts"][part])


def test_the_digest_does_not_depend_on_the_order_of_keys(evidence: Evidence) -> None:
    twin = plain(evidence)
    backwards = {key: twin[key] for key in reversed(twin)}
    assert report_digest(manifest_of(backwards)) == report_digest(manifest_of(twin))


@settings(max_examples=100, deadline=None)
@given(value=st.floats(), low=st.floats(), high=st.floats())
def test_every_interval_survives_the_way_through_json(value: float, low: float, high: float) -> None:
    text = canonical(plain(Interval(value, low, high)))
    back = TypeAdapter(Interval).validate_json(text)
    assert canonical(plain(back)) == text


def test_the_whole_evidence_survives_the_way_through_json(evidence: Evidence) -> None:
    text = canonical(plain(evidence))
    assert TypeAdapter(Evidence).validate_json(text) == evidence
    assert canonical(json.loads(text)) == text


def test_figures_of_numpy_become_plain_numbers() -> None:
    assert plain((np.float64(0.1), np.int64(3), np.bool_(True))) == [0.1, 3, True]


def test_a_value_that_has_no_place_in_json_is_named() -> None:
    with pytest.raises(TypeError, match="holds a set"):
        plain({"figures": {1, 2}})
