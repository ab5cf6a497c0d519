"""How many questions somebody's look at the record takes; speed rests on that number, and a test can hold it."""

from collections.abc import Callable

from sqlalchemy import event
from sqlalchemy.engine import Engine


def asked_for(look: Callable[[], object]) -> int:
    """The queries that a call sends to any store."""
    asked: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, *_rest: object) -> None:
        asked.append(statement)

    event.listen(Engine, "before_cursor_execute", note)
    try:
        look()
    finally:
        event.remove(Engine, "before_cursor_execute", note)
    return sum(statement.startswith("SELECT") for statement in asked)
