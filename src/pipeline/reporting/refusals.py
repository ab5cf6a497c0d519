"""Why rows were refused, in words that are the same for every row it happened to and can be said in any language."""

import re
from collections.abc import Callable

from pipeline.language import joined, say, term

_WORDED: tuple[tuple[re.Pattern[str], Callable[[re.Match[str]], str]], ...] = (
    (
        re.compile(r"same key as row \d+ \((?P<key>.*)\), other (?P<other>.+)"),
        lambda m: say("a key that occurs twice ({key}), with different {other}", key=m["key"], other=m["other"]),
    ),
    (
        re.compile(r"same key as row \d+ \((?P<key>.*)\), an exact copy"),
        lambda m: say("a key that occurs twice ({key}), an exact copy", key=m["key"]),
    ),
    (re.compile(r"(?P<column>\w+): missing"), lambda m: say("{column}: missing", column=m["column"])),
    (
        re.compile(r"(?P<column>\w+): .* breaks (?P<rule>.+)", re.DOTALL),
        lambda m: say("{column}: against the rule “{rule}”", column=m["column"], rule=term(m["rule"])),
    ),
    (
        re.compile(r"(?P<column>\w+): .* is not (?P<kind>.+)", re.DOTALL),
        lambda m: say("{column}: not {kind}", column=m["column"], kind=term(m["kind"])),
    ),
)
#: Kinds of values a contract may ask for, as it words them.
KINDS = (
    say("a whole number"),
    say("a finite number"),
    say("true or false"),
    say("a date (YYYY-MM-DD)"),
    say("a text"),
)


def refusal(reason: str) -> str:
    """The reasons a contract gave against one row, without the row's own values; an unknown one stays as it is."""
    return joined([_worded(part) for part in reason.split("; ")], "; ")


def _worded(reason: str) -> str:
    for pattern, words in _WORDED:
        match = pattern.fullmatch(reason)
        if match:
            return words(match)
    return reason
