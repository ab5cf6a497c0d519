"""A sentence that remembers how it was made, so that it can be said again in another language.

Rooms that judge compose sentences (``Stock-out rate was 4.1 %…``) long before anybody knows who will read them. A
:class:`Message` is that sentence in English, an ordinary ``str``, which also keeps its template and values. Whatever
does not know about it sees the English text; a page or a mail hands it to a translator.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields, is_dataclass, replace
from datetime import date
from typing import Any, Self

#: What may stand in a template: names and people's own words, other messages, numbers, days.
Value = str | int | float | date


class Message(str):
    """A sentence in English with its template and values.

    Attributes:
        template: the sentence with ``{name}`` where a value stands; the msgid of the catalogues.
        values: by name. A message among them is translated too; any other ``str`` is shown as it is.
    """

    template: str
    values: Mapping[str, Value]

    def __new__(cls, text: str, template: str | None = None, values: Mapping[str, Value] | None = None) -> Self:
        """Use :func:`say`; this takes the finished text, as copying and pickling need it."""
        made = super().__new__(cls, text)
        made.template = text.replace("{", "{{").replace("}", "}}") if template is None else template
        made.values = dict(values or {})
        return made


def say(template: str, /, **values: Value) -> Message:
    """A sentence for people.

    >>> say("{value} is above the milestone {limit}", value="5.1 %", limit="5.0 %")
    '5.1 % is above the milestone 5.0 %'

    Args:
        template: English, written out at the call so that it is found for translation; literal braces doubled.
        values: for every ``{name}`` in it.

    Raises:
        KeyError: a value is missing.
    """
    return _made(template, values)


def term(text: str) -> Message:
    """A word of a domain (a KPI's title, a unit), translated where some ``say`` holds the same word, else as it is."""
    return text if isinstance(text, Message) else Message(text)


def joined(parts: Sequence[str], between: str = " ") -> str:
    """Sentences one after the other, each still translatable; the English text is ``between.join(parts)``."""
    if len(parts) == 1:
        return parts[0]
    values = {f"part{place}": part for place, part in enumerate(parts)}
    template = between.replace("{", "{{").replace("}", "}}").join(f"{{{name}}}" for name in values)
    return Message(between.join(parts), template, values)


def to_plain(message: Message) -> dict[str, Any]:
    """The message as JSON values: ``text``, ``template`` and ``values``; days become ``{"date": "2026-11-02"}``."""
    values = {name: _plain_value(value) for name, value in message.values.items()}
    return {"text": str(message), "template": message.template, "values": values}


def kept(text: str) -> Any:
    """What JSON keeps of a text for :func:`from_plain`: a message with all it knows, anything else as it is."""
    return to_plain(text) if isinstance(text, Message) else text


def from_plain(plain: Mapping[str, Any] | str) -> str:
    """The inverse of :func:`to_plain`; a plain string is handed back as it is.

    A template whose values do not make the text is not believed: whoever reads another language must be told the same.

    Raises:
        KeyError: the mapping holds no ``text``.
    """
    if isinstance(plain, str):
        return plain
    text: str = plain["text"]
    try:
        made = _made(plain["template"], {name: _value(value) for name, value in plain["values"].items()})
    except (AttributeError, IndexError, KeyError, TypeError, ValueError):
        return text
    return made if made == text else text


def messages_in(value: object) -> Iterator[Message]:
    """Every message inside dataclasses, mappings and sequences, in order; a message's own parts are not repeated."""
    if isinstance(value, Message):
        yield value
    elif isinstance(value, str | bytes):
        return
    elif is_dataclass(value) and not isinstance(value, type):
        for field in fields(value):
            yield from messages_in(getattr(value, field.name))
    elif isinstance(value, Mapping):
        for each in value.values():
            yield from messages_in(each)
    elif isinstance(value, Sequence):
        for each in value:
            yield from messages_in(each)


def legend(value: object) -> dict[str, Any]:
    """By English text, template and values of every message inside a value: what a JSON twin carries beside its texts.

    The texts themselves stay plain strings there, so that a program that only reads English need not know of this.
    """
    return {
        str(message): {"template": message.template, "values": to_plain(message)["values"]}
        for message in messages_in(value)
    }


def recalled(text: str, told: Mapping[str, Any]) -> str:
    """A text read back from JSON as the message it was, if its :func:`legend` holds it; else the text itself."""
    known = told.get(text)
    return text if known is None else from_plain({"text": text, **known})


def revived(value: Any, told: Mapping[str, Any]) -> Any:
    """A frozen value read back from JSON with its texts :func:`recalled`; everything else is left as it is."""
    if isinstance(value, str):
        return recalled(value, told)
    if is_dataclass(value) and not isinstance(value, type):
        return replace(value, **{field.name: revived(getattr(value, field.name), told) for field in fields(value)})
    if isinstance(value, Mapping):
        return {key: revived(each, told) for key, each in value.items()}
    if isinstance(value, tuple | list):
        return type(value)(revived(each, told) for each in value)
    return value


def _made(template: str, values: Mapping[str, Value]) -> Message:
    return Message(template.format_map({name: str(value) for name, value in values.items()}), template, values)


def _plain_value(value: Value) -> Any:
    if isinstance(value, Message):
        return to_plain(value)
    return {"date": value.isoformat()} if isinstance(value, date) else value


def _value(plain: Any) -> Value:
    if not isinstance(plain, Mapping):
        scalar: Value = plain
        return scalar
    return date.fromisoformat(plain["date"]) if set(plain) == {"date"} else from_plain(plain)
