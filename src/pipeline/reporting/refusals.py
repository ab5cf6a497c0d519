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
        lambda m: say("{column}: against the rule “{rule}”", column=m["column"], rule=_rule(m["rule"])),
    ),
    (
        re.compile(r"(?P<column>\w+): .* is not (?P<kind>.+)", re.DOTALL),
        lambda m: say("{column}: not {kind}", column=m["column"], kind=term(m["kind"])),
    ),
)
#: Rules that name something, as contracts word them; any other is a word of its domain, or the contract's own.
_RULES: tuple[tuple[re.Pattern[str], Callable[[re.Match[str]], str]], ...] = (
    (re.compile(r"known (?P<what>\w+)"), lambda m: say("known {what}", what=term(m["what"]))),
    (
        re.compile(r"no week after the stock-taking of (?P<day>[\d-]+)"),
        lambda m: say("no week after the stock-taking of {day}", day=m["day"]),
    ),
    (re.compile(r"no week before (?P<day>[\d-]+)"), lambda m: say("no week before {day}", day=m["day"])),
    (
        re.compile(r"(?P<column>\w+) is a whole number"),
        lambda m: say("{column} is a whole number", column=m["column"]),
    ),
    (
        re.compile(r"(?P<column>\w+) is one of (?P<values>.+)", re.DOTALL),
        lambda m: say("{column} is one of {values}", column=m["column"], values=m["values"]),
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
    return _by(_WORDED, reason) or reason


def _rule(rule: str) -> str:
    return _by(_RULES, rule) or term(rule)


def _by(known: tuple[tuple[re.Pattern[str], Callable[[re.Match[str]], str]], ...], text: str) -> str | None:
    """The words of the first pattern that fits the whole text."""
    return next((words(match) for pattern, words in known if (match := pattern.fullmatch(text))), None)
