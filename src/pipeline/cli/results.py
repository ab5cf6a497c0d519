"""Results for programs: what a command shows people, as one JSON value on standard output."""

import json
import math
from collections.abc import Mapping
from collections.abc import Set as AnySet
from dataclasses import fields, is_dataclass
from datetime import date
from pathlib import Path
from typing import Annotated, Any

import typer
from pydantic import BaseModel

#: Standard output then holds nothing but the result; progress and errors go to standard error as ever.
AsJson = Annotated[bool, typer.Option("--json", help="for programs: the result as JSON on standard output")]


def print_json(value: Any) -> None:
    """Print a value as JSON, whatever our own frozen values it is made of."""
    typer.echo(json.dumps(plain(value), indent=2, ensure_ascii=False, allow_nan=False))


def plain(value: Any) -> Any:
    """A value as JSON knows it: dates as ISO 8601, paths as text, what no number can say as null."""
    if isinstance(value, BaseModel):
        return plain(value.model_dump(mode="json", by_alias=True))
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, Mapping):
        return {str(key): plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple | AnySet):
        return [plain(one) for one in value]
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, float) and not math.isfinite(value):
        return None
    # A message is a text that remembers how it was made.
    return str(value) if isinstance(value, str) else value
