"""Templates in the reader's language, with figures, moments and people's words as pages print them."""

from collections.abc import Mapping
from datetime import UTC, date, datetime
from functools import cache, lru_cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from pipeline.evaluation.figures import show, show_change
from pipeline.language import LANGUAGES, NAMES, Translator, term, translator
from pipeline.language.pages import install
from pipeline.review import goal_of
from pipeline.web import wording
from pipeline.web.assets import address_of

LOOKS: Mapping[str, str] = {"pass": "✓", "warning": "!", "fail": "✗", "none": "–"}


@cache
def environment(language: str) -> Environment:
    """The templates in one language."""
    made = Environment(
        loader=PackageLoader("pipeline.web", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        auto_reload=False,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    speaks = translator(language)
    install(made, speaks, _keep_together)
    made.filters |= {
        "figure": lambda value, unit: figure(speaks, value, unit),
        "change": show_change,
        "moment": lambda text: moment(speaks, text),
        "goal": goal_of,
        "day": lambda text: day(speaks, text),
        "role": wording.role,
        "decided": wording.decision,
        "term": term,
        "spoken": lambda text: str(text).replace("_", " "),
        "sentence": lambda text: text[:1].upper() + text[1:],
        "lines": _lines,
        "digest": lambda text: text[:12],
    }
    made.globals |= {"asset": address_of, "looks": LOOKS, "languages": [(name, NAMES[name]) for name in LANGUAGES]}
    return made


@lru_cache(maxsize=4096)
def figure(speaks: Translator, value: float, unit: str) -> str:
    """A KPI's figure with its unit: per cents by the locale, everything else as the evidence pack writes it."""
    return speaks.percent(value) if unit == "share" and abs(value) < float("inf") else show(value, unit)


@lru_cache(maxsize=4096)
def moment(speaks: Translator, text: str) -> Markup:
    """A moment of the ledger, to the minute; UTC, since readers sit in several places."""
    at = datetime.fromisoformat(text).astimezone(UTC)
    return Markup('<time datetime="{}">{} UTC</time>').format(f"{at:%Y-%m-%dT%H:%M:%SZ}", speaks.datetime(at))


@lru_cache(maxsize=4096)
def day(speaks: Translator, value: str | date) -> Markup:
    """A day, given as such or as the moment it belongs to."""
    at = date.fromisoformat(value[:10]) if isinstance(value, str) else value
    return Markup('<time datetime="{}">{}</time>').format(at.isoformat(), speaks.date(at))


def _lines(text: str) -> Markup:
    """People's own line breaks."""
    return Markup("<br>").join(escape(line) for line in text.splitlines())


def _keep_together(value: Any) -> Any:
    """A no-break space before per cent: a line must not part a figure from its sign."""
    # Markup was made of values that went through here.
    return value.replace(" %", "\u00a0%") if type(value) is str and " %" in value else value
