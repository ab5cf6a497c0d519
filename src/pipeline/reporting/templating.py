"""The templates' environment in a language: one for the evidence page and for the documents beside it."""

from collections.abc import Callable
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from pipeline.language import translator
from pipeline.language.pages import install


def environment(language: str, shown: Callable[[Any], Any]) -> Environment:
    """Templates that escape what they show and refuse a name nobody gave.

    Args:
        language: its code.
        shown: what is done to each value before it is shown.
    """
    found = Environment(
        loader=PackageLoader("pipeline.reporting", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return install(found, translator(language), shown)
