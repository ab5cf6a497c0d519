"""A charter read with everything that can be found wrong in it: by itself, by its problem, by the known controls."""

from datetime import date
from pathlib import Path

from pipeline.charter import Charter
from pipeline.charter.advice import Advice
from pipeline.charter.reading import read_charter
from pipeline.compliance.controls import check as check_controls
from pipeline.problems.registry import advise_problem


def read_charter_for_problem(path: Path, today: date) -> Charter:
    """Read a charter and ask its problem too.

    Raises:
        CharterError: with a finding for everything that is wrong, each with file, line and field.
    """
    return read_charter(path, today, _advise)


def _advise(charter: Charter) -> tuple[Advice, ...]:
    return (*advise_problem(charter), *check_controls(charter))
