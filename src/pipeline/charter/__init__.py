"""The charter of a project: what it says, how it is read, compared and patched."""

from pipeline.charter.advice import Advice
from pipeline.charter.checks import check_charter
from pipeline.charter.difference import Change, difference
from pipeline.charter.model import DECISIONS, PATCHABLE, ROLES, Candidate, Charter, DecisionName, Person, Role, Stage
from pipeline.charter.patching import apply_patch
from pipeline.charter.reading import charter_from_canonical, read_charter
from pipeline.charter.schema import charter_schema, schema_text

__all__ = [
    "DECISIONS",
    "PATCHABLE",
    "ROLES",
    "Advice",
    "Candidate",
    "Change",
    "Charter",
    "DecisionName",
    "Person",
    "Role",
    "Stage",
    "apply_patch",
    "charter_from_canonical",
    "charter_schema",
    "check_charter",
    "difference",
    "read_charter",
    "schema_text",
]
