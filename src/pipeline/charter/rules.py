"""The grammar of ``retrain.when``: a sentence over figures of monitored periods, parsed and never evaluated as code.

::

    rule        = group { "or" group }              "and" binds tighter than "or"; there are no parentheses
    group       = clause { "and" clause }
    clause      = METRIC ( OP NUMBER | "worse than" ( BENCHMARK | NUMBER ) ) "for" N "period" [ "s" ]
    METRIC      = "drift_share" | "quarantine_share" | "kpi" | the name of the KPI or of a guardrail
    OP          = ">" | ">=" | "<" | "<="
    BENCHMARK   = "target" (the KPI only) | "limit" (guardrails only) | "baseline"

``worse than`` knows the figure's direction: above for one where lower is better, below for the other kind. What a rule
says of periods is judged by :mod:`pipeline.monitoring.rules`.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, get_args

from pipeline.charter.model import Charter, Direction

Operator = Literal[">", ">=", "<", "<="]
Benchmark = Literal["target", "limit", "baseline"]
Role = Literal["data", "kpi", "guardrail"]

#: Figures every project has: shares of columns that shifted, and of rows that were refused.
DATA_METRICS = ("drift_share", "quarantine_share")
MOST_PERIODS = 52
_WORD = re.compile(r"\s*(>=|<=|>|<|[A-Za-z_][A-Za-z0-9_-]*|[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?|\S)")
_NUMBER = re.compile(r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?")
_BENCHMARKS: Mapping[Role, tuple[Benchmark, ...]] = {
    "data": (), "kpi": ("target", "baseline"), "guardrail": ("limit", "baseline"),
}  # fmt: skip


@dataclass(frozen=True)
class Metric:
    """A figure a rule may name: its name in observations, what it is, and which way is better."""

    name: str
    role: Role
    direction: Direction


@dataclass(frozen=True)
class Clause:
    """One condition, to hold in each of the newest ``periods`` periods.

    Attributes:
        metric: name of the figure in observations; ``kpi`` is replaced by the KPI's own name.
        operator: how it is compared.
        limit: a number, or the benchmark whose number is known when a period is judged.
        periods: N.
        text: the clause as it is written.
    """

    metric: str
    operator: Operator
    limit: float | Benchmark
    periods: int
    text: str


@dataclass(frozen=True)
class Rule:
    """Groups of clauses: the rule holds where every clause of at least one group does."""

    groups: tuple[tuple[Clause, ...], ...]
    text: str

    @property
    def clauses(self) -> tuple[Clause, ...]:
        """All clauses in the order they are written."""
        return tuple(clause for group in self.groups for clause in group)


class RuleError(ValueError):
    """A text is no rule.

    Attributes:
        position: of the first character that does not fit, from 1.
        found: what stands there.
        expected: what may stand there.
    """

    def __init__(self, position: int, found: str, expected: str) -> None:
        self.position, self.found, self.expected = position, found, expected
        super().__init__(f"at character {position}: {found}; {expected}")


def metrics_of(charter: Charter) -> dict[str, Metric]:
    """The figures a charter's rule may name, by the words it may name them with."""
    goal = Metric(charter.kpi.name, "kpi", charter.kpi.direction)
    known = {name: Metric(name, "data", "lower") for name in DATA_METRICS}
    known |= {"kpi": goal, goal.name: goal}
    return known | {guard.name: Metric(guard.name, "guardrail", guard.direction) for guard in charter.guardrails}


def parse(text: str, metrics: Mapping[str, Metric]) -> Rule:
    """Read a rule.

    Args:
        text: such as ``drift_share > 0.3 for 2 periods or kpi worse than target for 2 periods``.
        metrics: the figures it may name, from :func:`metrics_of`.

    Raises:
        RuleError: with the position of the first word that does not fit, and what may stand there.
    """
    return _Parser(text, metrics).rule()


@dataclass(frozen=True)
class _Token:
    text: str
    position: int


class _Parser:
    """Recursive descent over words; one method per line of the grammar."""

    def __init__(self, text: str, metrics: Mapping[str, Metric]) -> None:
        self._text, self._metrics = text, metrics
        self._words = [_Token(match[1], match.start(1)) for match in _WORD.finditer(text)]
        self._next = 0

    def rule(self) -> Rule:
        groups = [self._group()]
        while self._take("or"):
            groups.append(self._group())
        if self._next < len(self._words):
            raise self._error("write `or`, `and`, or nothing more")
        return Rule(tuple(groups), self._text)

    def _group(self) -> tuple[Clause, ...]:
        clauses = [self._clause()]
        while self._take("and"):
            clauses.append(self._clause())
        return tuple(clauses)

    def _clause(self) -> Clause:
        start = self._next
        metric = self._metric()
        operator, limit = self._comparison(metric)
        self._require("for", "write `for N periods`")
        periods = self._periods()
        first, last = self._words[start], self._words[self._next - 1]
        text = self._text[first.position : last.position + len(last.text)]
        return Clause(metric.name, operator, limit, periods, text)

    def _metric(self) -> Metric:
        found = self._peek()
        if found is None or found not in self._metrics:
            raise self._error(f"write a figure: {', '.join(self._metrics)}")
        self._next += 1
        return self._metrics[found]

    def _comparison(self, metric: Metric) -> tuple[Operator, float | Benchmark]:
        for operator in get_args(Operator):
            if self._take(operator):
                return operator, self._number("write a number, such as 0.3")
        benchmarks = _BENCHMARKS[metric.role]
        if benchmarks and self._take("worse"):
            self._require("than", "write `worse than`")
            worse: Operator = ">" if metric.direction == "lower" else "<"
            for benchmark in benchmarks:
                if self._take(benchmark):
                    return worse, benchmark
            return worse, self._number(f"write {', '.join(benchmarks)} or a number")
        raise self._error("write >, >=, < or <= and a number" + (", or `worse than`" if benchmarks else ""))

    def _number(self, expected: str) -> float:
        found = self._peek()
        if found is None or not _NUMBER.fullmatch(found):
            raise self._error(expected)
        value = float(found)
        if abs(value) == float("inf"):
            raise self._error("write a finite number")
        self._next += 1
        return value

    def _periods(self) -> int:
        found = self._peek()
        # `isdecimal` alone would let through digits of other scripts.
        if found is None or not (found.isascii() and found.isdecimal() and 1 <= int(found[:4]) <= MOST_PERIODS):
            raise self._error(f"write a whole number of periods, 1 to {MOST_PERIODS}")
        self._next += 1
        if not (self._take("periods") or self._take("period")):
            raise self._error("write `periods`")
        return int(found)

    def _peek(self) -> str | None:
        return self._words[self._next].text if self._next < len(self._words) else None

    def _take(self, word: str) -> bool:
        if self._peek() != word:
            return False
        self._next += 1
        return True

    def _require(self, word: str, expected: str) -> None:
        if not self._take(word):
            raise self._error(expected)

    def _error(self, expected: str) -> RuleError:
        if self._next < len(self._words):
            word = self._words[self._next]
            return RuleError(word.position + 1, f"`{word.text}`", expected)
        return RuleError(len(self._text) + 1, "the end of the rule", expected)
