from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.charter import PATCHABLE, Charter, apply_patch, difference
from pipeline.errors import CharterError


def test_values_deep_in_lists_and_sections_are_replaced(charter: Charter) -> None:
    patched = apply_patch(
        charter,
        {
            "policy.parameters.service_level": 0.95,
            "model.train_on": "all",
            "model.candidates[tweedie].features": ["recent_sales", "promotions", "holidays"],
            "scope.leave_out.product": ["p07"],
        },
    )
    assert patched.policy.parameters == {"service_level": 0.95}
    assert patched.model.train_on == "all"
    assert patched.model.candidates[1].features == ("recent_sales", "promotions", "holidays")
    assert patched.model.candidates[0] == charter.model.candidates[0]
    assert patched.scope.leave_out == {"product": ("p07",)}
    assert {change.path for change in difference(charter, patched)} == {
        "policy.parameters.service_level",
        "model.train_on",
        "model.candidates[tweedie].features",
        "scope.leave_out.product",
    }


def test_a_whole_section_and_a_whole_list_may_be_replaced(charter: Charter) -> None:
    paths = {"name": "paths", "parameters": {"service_level": 0.9, "paths": 200}}
    candidates = charter.canonical()["model"]["candidates"][:1]
    patched = apply_patch(charter, {"policy": paths, "model.candidates": candidates})
    assert patched.policy.name == "paths"
    assert [candidate.name for candidate in patched.model.candidates] == ["poisson"]


def test_the_charter_and_the_patch_stay_as_they_were(charter: Charter) -> None:
    before, features = charter.digest, ["level"]
    patched = apply_patch(charter, {"model.candidates[poisson].features": features})
    features.append("season")
    assert charter.digest == before
    assert patched.model.candidates[0].features == ("level",)


REFUSED: list[tuple[str, dict[str, Any], str, str]] = [
    ("nothing", {}, "patch: nothing in it", "at least one"),
    ("the goal", {"kpi.target": 0.06}, "patch kpi.target: the section kpi", "only touch model, policy and scope"),
    ("a whole forbidden section", {"sign": {}}, "patch sign: the section sign", "the sponsor changes sign"),
    ("the ladder", {"stages[pilot].units": 50}, "patch stages[pilot].units: the section stages", "only touch"),
    ("a forbidden section misspelt inside", {"kpi.targt": 1}, "patch kpi.targt: the section kpi", "only touch"),
    ("an unknown section", {"polcy.name": "paths"}, "patch polcy.name: ", "did you mean `policy.name`"),
    ("an unknown key", {"model.train_onn": "all"}, "patch model.train_onn: ", "did you mean `model.train_on`"),
    (
        "an unknown candidate",
        {"model.candidates[twedie].features": ["level"]},
        "patch model.candidates[twedie].features: ",
        "did you mean `model.candidates[tweedie].features`",
    ),
    ("python's name of a key", {"scope.included": ["all"]}, "patch scope.included: ", "did you mean `scope.in"),
    ("a key of a plain value", {"model.train_on.x": 1}, "patch model.train_on.x: ", "did you mean `model.train_on`"),
    ("no path", {"": 1}, "patch : ", "known paths begin with"),
    ("half a bracket", {"model.candidates[poisson.features": []}, "a path no charter has", "did you mean"),
    ("dots too many", {"model..train_on": "all"}, "a path no charter has", "did you mean `model.train_on`"),
    ("a trailing dot", {"model.": {}}, "a path no charter has", "did you mean `model`"),
    ("a wrong value", {"model.train_on": "some"}, "patch model.train_on: the text 'some'", "one of: stage, all"),
    (
        "text for a number",
        {"model.train_periods": "52"},
        "patch model.train_periods: the text '52'",
        "train_periods: 52",
    ),
    ("not a number", {"policy.parameters.service_level": float("nan")}, "nan", "finite"),
    ("null", {"policy.parameters.service_level": None}, "nothing", "write a number"),
    ("no JSON", {"policy.parameters.service_level": {1, 2}}, "a value of type set", "text, numbers, lists or sections"),
    ("a new name", {"model.candidates[poisson].name": "p2"}, "a new name for a list element", "`model.candidates`"),
    (
        "one place twice",
        {"policy.parameters": {}, "policy.parameters.service_level": 0.9},
        "patch policy.parameters.service_level: the same place as `policy.parameters`",
        "keep one",
    ),
    (
        "a feature twice",
        {"model.candidates[poisson].features": ["level", "level"]},
        "patch model.candidates[poisson].features, model.candidates[poisson].features[#2]: 'level' a second time",
        "remove",
    ),
    (
        "an unknown key in a section",
        {"policy": {"name": "paths", "level": 1}},
        "policy.level: the unknown key",
        "one of",
    ),
]


@pytest.mark.parametrize(("name", "patch", "found", "remedy"), REFUSED, ids=[case[0] for case in REFUSED])
def test_what_a_patch_may_not_do_is_refused_with_the_path(
    charter: Charter, name: str, patch: dict[str, Any], found: str, remedy: str
) -> None:
    with pytest.raises(CharterError) as caught:
        apply_patch(charter, patch)
    assert found in str(caught.value)
    assert remedy in str(caught.value)
    assert "stays as it is" in caught.value.headline


def test_all_entries_that_are_wrong_are_told_at_once(charter: Charter) -> None:
    with pytest.raises(CharterError) as caught:
        apply_patch(charter, {"kpi.target": 1, "model.train_onn": "all", "budget.money": 1, "policy.name": "paths"})
    assert [finding.place for finding in caught.value.findings] == [
        "patch kpi.target",
        "patch model.train_onn",
        "patch budget.money",
    ]


_PATCHES = st.fixed_dictionaries(
    {},
    optional={
        "policy.parameters.service_level": st.floats(0, 1),
        "policy.parameters.paths": st.integers(1, 500),
        "policy.name": st.sampled_from(["paths", "order_up_to", "safety_stock"]),
        "model.train_on": st.sampled_from(["stage", "all"]),
        "model.train_periods": st.integers(8, 200),
        "model.candidates[poisson].features": st.lists(
            st.sampled_from(["level", "season", "holidays"]), min_size=1, unique=True
        ),
        "model.candidates[tweedie].parameters.rounds": st.integers(1, 900),
        "scope.in": st.lists(st.sampled_from(["a", "b", "c"]), min_size=1, unique=True),
        "scope.leave_out": st.dictionaries(st.sampled_from(["store", "product"]), st.lists(st.sampled_from("xyz"))),
        "scope.out": st.lists(st.sampled_from(["x", "y"]), unique=True),
    },
).filter(bool)


@settings(max_examples=80, deadline=None)
@given(patch=_PATCHES)
def test_a_patch_changes_its_own_sections_only_and_applying_it_twice_changes_nothing_more(
    charter: Charter, patch: dict[str, Any]
) -> None:
    patched = apply_patch(charter, patch)
    before, after = charter.canonical(), patched.canonical()
    assert {key for key in before if before[key] != after[key]} <= set(PATCHABLE)
    assert apply_patch(patched, patch).digest == patched.digest
    assert apply_patch(charter, dict(reversed(patch.items()))).digest == patched.digest


@settings(max_examples=150, deadline=None)
@given(
    path=st.text(alphabet="modelpicyscn.[]#x ", max_size=20)
    | st.sampled_from(["model", "policy", "scope", "kpi", "people", "sign", "stages", "budget", "data", "seed"]),
    value=st.none() | st.integers() | st.text(max_size=5) | st.lists(st.integers(), max_size=2),
)
def test_whatever_the_patch_other_sections_never_change(charter: Charter, path: str, value: Any) -> None:
    try:
        patched = apply_patch(charter, {path: value})
    except CharterError:
        return
    before, after = charter.canonical(), patched.canonical()
    assert {key for key in before if before[key] != after[key]} <= set(PATCHABLE)
