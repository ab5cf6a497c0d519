"""One language: sentences by the catalogue, dates, numbers and per cents by the locale."""

import gettext
from dataclasses import dataclass
from datetime import date, datetime
from functools import cache
from pathlib import Path
from typing import Literal, get_args

from pipeline.language.message import Message, Value

Language = Literal["en", "zh_Hans"]

LANGUAGES: tuple[Language, ...] = get_args(Language)
#: How each language calls itself, for a choice on a page.
NAMES: dict[Language, str] = {"en": "English", "zh_Hans": "简体中文"}

DOMAIN = "landed"
LOCALES = Path(__file__).parent / "locales"


@dataclass(frozen=True)
class Translator:
    """Says things in one language. Made by :func:`translator`.

    Attributes:
        language: which one.
        catalogue: its sentences; English has none.
    """

    language: Language
    catalogue: gettext.NullTranslations

    @property
    def tag(self) -> str:
        """The language as HTML and HTTP write it (BCP 47): ``en``, ``zh-Hans``."""
        return self.language.replace("_", "-")

    def text(self, msgid: str, /, **values: Value) -> str:
        """A sentence of our own in this language.

        Args:
            msgid: a :class:`Message`, or English written out at the call with ``{name}`` for values.
            values: for a plain msgid.
        """
        if isinstance(msgid, Message):
            return self.show(msgid)
        return self._filled(msgid, values) if values else self._said(msgid)

    def show(self, value: object) -> str:
        """A value as a page prints it: messages and days in this language, people's own words as they are."""
        if isinstance(value, Message):
            return str(value) if self.language == "en" else self._filled(value.template, value.values)
        if isinstance(value, datetime):
            return self.datetime(value)
        return self.date(value) if isinstance(value, date) else str(value)

    def plural(self, singular: str, several: str, n: int) -> str:
        """The form of a sentence for a number, not yet filled in."""
        return self.catalogue.ngettext(singular, several, n)

    def number(self, x: float, unit: str = "") -> str:
        """A number with at most three decimals and its unit: ``12,345.6 units``."""
        from babel.numbers import format_decimal

        text = format_decimal(x, format="#,##0.###", locale=self.language)
        return f"{text} {self.show(unit)}" if unit else text

    def percent(self, x: float) -> str:
        """A share as per cent with one decimal: ``4.1 %`` in English as everywhere in Landed, ``4.1%`` in Chinese."""
        from babel.numbers import format_percent

        pattern = "#,##0.0 %" if self.language == "en" else "#,##0.0%"
        return format_percent(x, format=pattern, locale=self.language)

    def date(self, d: date) -> str:
        """A day: ``2 Nov 2026``, ``2026年11月2日``."""
        from babel.dates import format_date

        return format_date(d, format="d MMM y" if self.language == "en" else "long", locale=self.language)

    def datetime(self, dt: datetime) -> str:
        """A moment to the minute, in its own time zone: ``2 Nov 2026, 14:05``, ``2026年11月2日 14:05``."""
        between = ", " if self.language == "en" else " "
        return f"{self.date(dt.date())}{between}{dt:%H:%M}"

    def _said(self, msgid: str) -> str:
        # The empty msgid is the catalogue's own head.
        return self.catalogue.gettext(msgid) if msgid else ""

    def _filled(self, template: str, values: object) -> str:
        shown = {name: self.show(value) for name, value in dict(values).items()}  # type: ignore[call-overload]
        return self._said(template).format_map(shown)


@cache
def translator(language: str) -> Translator:
    """The translator of a language.

    Raises:
        ValueError: not one of :data:`LANGUAGES`.
    """
    for known in LANGUAGES:
        if known == language:
            none = gettext.NullTranslations()
            catalogue = none if known == "en" else gettext.translation(DOMAIN, LOCALES, [known])
            return Translator(known, catalogue)
    raise ValueError(f"language {language!r} is not one of {', '.join(LANGUAGES)}")


def choose(accept_language: str | None, wanted: str | None = None) -> Language:
    """The language to answer in.

    Args:
        accept_language: the request's header (RFC 9110, 12.5.4), such as ``zh-CN,zh;q=0.9,en;q=0.8``.
        wanted: what the person chose, such as ``zh_Hans`` or ``zh-CN``; anything unknown counts for nothing.
    """
    chosen = _of_tag((wanted or "").lower().replace("_", "-"))
    if chosen is not None:
        return chosen
    best: tuple[float, Language] = (0.0, "en")
    for part in (accept_language or "").split(",")[:20]:
        tag, _, parameters = part.strip().partition(";")
        language = _of_tag(tag.strip().lower())
        quality = _quality(parameters)
        if language is not None and quality > best[0]:
            best = (quality, language)
    return best[1]


def _of_tag(tag: str) -> Language | None:
    """Any Chinese is answered in Simplified Chinese: the nearest there is."""
    primary = tag.split("-")[0]
    if primary in {"en", "*"}:
        return "en"
    return "zh_Hans" if primary == "zh" else None


def _quality(parameters: str) -> float:
    name, _, number = parameters.strip().partition("=")
    if name.strip() != "q":
        return 1.0
    try:
        return float(number)
    except ValueError:
        return 0.0
