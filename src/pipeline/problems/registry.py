"""Problems by name. Domains register under the entry-point group ``landed.problems``; nothing here knows them."""

import difflib
import sys
from functools import cache
from importlib.metadata import EntryPoint, entry_points

from pipeline.charter import Charter
from pipeline.charter.advice import Advice
from pipeline.errors import CharterError, Finding
from pipeline.problems.base import Problem

GROUP = "landed.problems"


def find(name: str) -> Problem:
    """The problem of this name.

    Raises:
        CharterError: when nothing registered it, with the nearest name, or when its package cannot be loaded.
    """
    known = _registered()
    if name not in known:
        raise CharterError("the charter's problem is not installed", [Finding("problem", _found(name), _remedy(name))])
    try:
        problem: Problem = known[name].load()()
    except (ImportError, AttributeError) as error:
        place = f"problem {name}, entry point {known[name].value}"
        remedy = "install the package that offers it again"
        raise CharterError("the charter's problem cannot be loaded", [Finding(place, str(error), remedy)]) from error
    return problem


def advise_problem(charter: Charter) -> tuple[Advice, ...]:
    """What the charter's problem finds wrong in it, or that there is no such problem."""
    if charter.problem not in _registered():
        return (Advice(("problem",), _found(charter.problem), _remedy(charter.problem)),)
    return find(charter.problem).check(charter)


def _registered() -> dict[str, EntryPoint]:
    return _offered(tuple(sys.path))


@cache
def _offered(path: tuple[str, ...]) -> dict[str, EntryPoint]:  # noqa: ARG001 - where entry points are looked for
    """Looking through all that is installed takes a twentieth of a second, and a run asks dozens of times."""
    return {point.name: point for point in entry_points(group=GROUP)}


def _found(name: str) -> str:
    return f"no problem is called '{name}'"


def _remedy(name: str) -> str:
    names = sorted(_registered())
    near = difflib.get_close_matches(name, names, n=1, cutoff=0.5)
    meant = f"did you mean `{near[0]}`? " if near else ""
    return f"{meant}write one of: {', '.join(names) or '(none is installed)'}"
