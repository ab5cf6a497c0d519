"""The documents that lie beside an evidence page: model card, data sheet, and a digest for each role."""

from collections.abc import Mapping
from typing import get_args

from pipeline.charter import ROLES
from pipeline.language.translator import Language
from pipeline.reporting.cards import data_sheet, model_card
from pipeline.reporting.digests import role_digest
from pipeline.reporting.documents import as_html, as_markdown
from pipeline.reporting.evidence import Evidence

#: What a file's name says of its language.
_ENDINGS: dict[Language, str] = {"en": "", "zh_Hans": ".zh"}


def files(evidence: Evidence, digest: str) -> Mapping[str, str]:
    """Every document of a pack by file name, in each language.

    The model card and the data sheet come as HTML and Markdown, the digests as HTML.

    Args:
        evidence: what happened.
        digest: the report's hash, printed in each.
    """
    cards = (model_card(evidence), data_sheet(evidence))
    texts = {}
    for language in get_args(Language):
        end = _ENDINGS[language]
        for one in (*cards, *(role_digest(evidence, role) for role in ROLES)):
            texts[f"{one.name}{end}.html"] = as_html(one, evidence, digest, language)
        for one in cards:
            texts[f"{one.name}{end}.md"] = as_markdown(one, evidence, digest, language)
    return texts
