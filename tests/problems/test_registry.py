"""Problems are found by name, and an unknown one by the nearest."""

import pytest

from pipeline.errors import CharterError
from pipeline.problems import registry
from pipeline.problems.registry import advise_problem, find
from tests.replenishment.made import charter


def test_replenishment_is_installed_and_found_by_its_name():
    assert find("replenishment").name == "replenishment"


def test_an_unknown_problem_is_refused_with_the_nearest_name():
    with pytest.raises(CharterError) as caught:
        find("replenishmnt")
    assert "did you mean `replenishment`" in caught.value.findings[0].remedy


def test_a_problem_that_cannot_be_loaded_names_its_entry_point(monkeypatch):
    from importlib.metadata import EntryPoint

    broken = EntryPoint("broken", "no.such.module:Problem", registry.GROUP)
    monkeypatch.setattr(registry, "_offered", registry._offered.__wrapped__)
    monkeypatch.setattr(registry, "entry_points", lambda group: (broken,))
    with pytest.raises(CharterError, match=r"no\.such\.module:Problem"):
        find("broken")


def test_advice_of_a_charter_is_that_of_its_problem_or_that_there_is_none():
    good = charter("vn2")
    assert advise_problem(good) == ()
    unknown = good.model_copy(update={"problem": "replenish"})
    advice = advise_problem(unknown)
    assert advice[0].path == ("problem",)
    assert "replenishment" in advice[0].remedy
