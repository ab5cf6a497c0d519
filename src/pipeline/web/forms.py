"""Forms as browsers send them: text fields only, never files."""

import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import parse_qs

from starlette.exceptions import HTTPException
from starlette.requests import Request

_FIELDS = 400
#: The name of the field that carries the session's token in every form.
TOKEN = "token"  # noqa: S105 - a field's name


@dataclass(frozen=True)
class Form:
    """What was typed. A field that was not sent reads as empty."""

    fields: Mapping[str, list[str]]

    def text(self, name: str) -> str:
        """The field's text, line breaks as in Unix, without blanks around it."""
        return self.fields.get(name, [""])[-1].replace("\r\n", "\n").strip()

    def every(self, name: str) -> list[str]:
        """All values of a field that may stand several times."""
        return list(self.fields.get(name, []))

    def has(self, name: str) -> bool:
        """Whether the field was sent: a ticked box, a pressed button."""
        return name in self.fields

    def bears(self, token: str) -> bool:
        """Whether the form carries this token."""
        return bool(token) and hmac.compare_digest(self.text(TOKEN).encode(), token.encode())


async def read_form(request: Request) -> Form:
    """The form of a request.

    Raises:
        HTTPException: 415 for anything but a plain form, 400 for one that cannot be read.
    """
    kind = request.headers.get("content-type", "").split(";")[0].strip().lower()
    if kind != "application/x-www-form-urlencoded":
        raise HTTPException(415, "This site takes plain forms only.")
    try:
        text = (await request.body()).decode()
        fields = parse_qs(text, keep_blank_values=True, errors="strict", max_num_fields=_FIELDS)
    except ValueError as exc:
        raise HTTPException(400, "The form cannot be read.") from exc
    if any("\x00" in value for values in fields.values() for value in values):
        raise HTTPException(400, "The form cannot be read.")
    return Form(fields)
