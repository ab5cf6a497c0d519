"""Whom the charters name: roles in a project come from the newest iteration's charter and from nowhere else."""

import json
from functools import lru_cache

from sqlalchemy import bindparam, select

from pipeline.charter import Person
from pipeline.ledger import Reader
from pipeline.ledger.iterations import NEWEST
from pipeline.ledger.tables import iterations

_COLUMNS = (iterations.c.project, iterations.c.charter)
#: Asked with every page of the site, so put together once.
_EVERY = NEWEST.with_only_columns(*_COLUMNS)
_ONE = (
    select(*_COLUMNS)
    .where(iterations.c.project == bindparam("project"))
    .order_by(iterations.c.position.desc())
    .limit(1)
)


def people_of(reader: Reader, project: str) -> tuple[Person, ...]:
    """The people of a project's newest charter; none for a project the ledger does not hold."""
    return people_of_all(reader, project).get(project, ()) if project.isprintable() else ()


def people_of_all(reader: Reader, project: str | None = None) -> dict[str, tuple[Person, ...]]:
    """The people of every project, or of one, by the project's name in order."""
    rows = reader.rows(_EVERY) if project is None else reader.rows(_ONE, {"project": project})
    return {row["project"]: people_in(row["charter"]) for row in rows}


def person_of(reader: Reader, project: str, identity: str) -> Person | None:
    """The person of this id in a project's newest charter, or None."""
    return next((person for person in people_of(reader, project) if person.id == identity), None)


@lru_cache(maxsize=64)
def people_in(charter: str) -> tuple[Person, ...]:
    """The people a charter's text names; the rest of it need not be readable."""
    return tuple(Person.model_validate(one) for one in json.loads(charter)["people"])
