"""Languages: sentences that can be said again in another one, the catalogues, and numbers and days by locale.

English is the language of the code; Simplified Chinese comes from ``locales/zh_Hans``. People's own words (comments,
names, what a charter says) are shown as they were written, in every language. Templates: ``pipeline.language.pages``.
"""

from pipeline.language.message import Message, from_plain, joined, kept, legend, recalled, revived, say, term, to_plain
from pipeline.language.translator import LANGUAGES, NAMES, Language, Translator, choose, translator

__all__ = [
    "LANGUAGES",
    "NAMES",
    "Language",
    "Message",
    "Translator",
    "choose",
    "from_plain",
    "joined",
    "kept",
    "legend",
    "recalled",
    "revived",
    "say",
    "term",
    "to_plain",
    "translator",
]
