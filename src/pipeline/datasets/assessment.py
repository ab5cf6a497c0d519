"""Is this data good, and is it enough, for this charter: one verdict per question, each with its figures."""

from pipeline.charter import Charter
from pipeline.charter.model import Table
from pipeline.datasets.dataset import Assessment, DataFacts, Quarantine
from pipeline.language.message import Message, say
from pipeline.verdicts import Outcome, Severity, Verdict

Figures = dict[str, float | int | str | None]

#: Above this share of censored cells demand is guessed more than seen; VN2, a hard real case, has 11 %.
CENSORED_SHARE = 0.20
#: Population stability index above which a column counts as shifted (Siddiqi, Credit Risk Scorecards, ch. 8: 0.1
#: slight, above 0.25 major; 0.2 is the usual alarm).
DRIFT = 0.20

_PERIODS = {"week": say("weeks"), "day": say("days")}


def assess(facts: DataFacts, charter: Charter, quarantine: Quarantine) -> Assessment:
    """Judge the facts of a dataset by what its charter asks for.

    Args:
        facts: what the problem found in the clean tables.
        charter: its ``data`` section states the least that is enough.
        quarantine: what the contract refused.
    """
    return Assessment(
        facts,
        (
            _coverage(facts, charter),
            _history(facts, charter),
            *_freshness(facts, charter, quarantine),
            _refused(quarantine, charter),
            _censoring(facts),
            _duplicates(facts),
            _leakage(facts),
            _drift(facts),
        ),
    )


def _verdict(gate: str, title: str, severity: Severity, reason: str, figures: Figures, *, holds: bool) -> Verdict:
    return Verdict(f"data.{gate}", title, "pass" if holds else "fail", severity, reason, figures)


def _share(share: float) -> Message:
    return say("{number}%", number=f"{share * 100:.2f}")


def _coverage(facts: DataFacts, charter: Charter) -> Verdict:
    least = charter.data.min_coverage
    reason = say(
        "{share} of the expected {periods} of {series} series have data; at least {least} is asked.",
        share=_share(facts.coverage), periods=_PERIODS[charter.data.period], series=f"{facts.series:,}",
        least=_share(least),
    )  # fmt: skip
    return _verdict(
        "coverage",
        say("The data covers the series it should cover"),
        "block",
        reason,
        {"coverage": facts.coverage, "least": least, "series": facts.series, "units": facts.units},
        holds=facts.coverage >= least,
    )


def _history(facts: DataFacts, charter: Charter) -> Verdict:
    least, period = charter.data.minimum_history, charter.data.period
    return _verdict(
        "history",
        say("The history is long enough"),
        "block",
        say(
            "The history has {number} {periods}; the charter asks for at least {least}.",
            number=facts.periods,
            periods=_PERIODS[period],
            least=least,
        ),
        {"periods": facts.periods, "least": least},
        holds=facts.periods >= least,
    )


def _freshness(facts: DataFacts, charter: Charter, quarantine: Quarantine) -> list[Verdict]:
    return [
        _fresh(table, facts.ages_days.get(table.name), loaded=table.name in quarantine.loaded)
        for table in charter.data.tables
    ]


def _fresh(table: Table, age: int | None, *, loaded: bool) -> Verdict:
    """A table without dates is as fresh as the delivery it came with, and that is said. One that is not there fails."""
    outcome: Outcome = "pass"
    if age is not None:
        outcome = "pass" if age <= table.freshness_days else "fail"
        reason = say(
            "Table {table} is {days} days behind; {owner} promises at most {most}.",
            table=table.name, days=age, owner=table.owner, most=table.freshness_days,
        )  # fmt: skip
    elif loaded:
        reason = say(
            "Table {table} has no dates of its own; it is taken to be as fresh as the delivery it came with.",
            table=table.name,
        )
    else:
        outcome, reason = "fail", say("Table {table} is not there; ask {owner}.", table=table.name, owner=table.owner)
    figures: Figures = {"age_days": age, "most": table.freshness_days}
    title = say("Table {table} is fresh", table=table.name)
    return Verdict(f"data.freshness.{table.name}", title, outcome, "block", reason, figures)


def _refused(quarantine: Quarantine, charter: Charter) -> Verdict:
    most = charter.data.max_quarantine_share
    refused, loaded = quarantine.refused, quarantine.loaded
    shares = {table: refused[table] / max(rows, 1) for table, rows in loaded.items()}
    worst = max(shares, key=lambda table: shares[table], default=None)
    share = shares[worst] if worst is not None else 0.0
    # What lies beside the charter's tables, as a contract does, is held to its rules and is no data.
    named = [table.name for table in charter.data.tables if table.name in loaded] or list(loaded)
    lost, all_rows = sum(refused[table] for table in named), sum(loaded[table] for table in named)
    rows = {"refused": f"{lost:,}", "loaded": f"{all_rows:,}", "most": _share(most)}
    if worst is None:
        reason = say("{refused} of {loaded} rows were refused; at most {most} of a table is allowed.", **rows)
    else:
        reason = say(
            "{refused} of {loaded} rows were refused; the worst table is {table} with {share} ({there} of {all}), at "
            "most {most} of a table is allowed.",
            **rows, table=worst, share=_share(share), there=f"{refused[worst]:,}", all=f"{loaded[worst]:,}",
        )  # fmt: skip
    return _verdict(
        "quarantine",
        say("Few rows break the contract"),
        "block",
        reason,
        {"refused": lost, "loaded": all_rows, "worst_table": worst, "share": share, "most": most},
        holds=share <= most,
    )  # fmt: skip


def _censoring(facts: DataFacts) -> Verdict:
    return _verdict(
        "censoring",
        say("Demand is seen, not hidden by stock-outs"),
        "warn",
        say(
            "In {share} of the cells a stock-out hides demand; above {most} forecasts rest on guesses.",
            share=_share(facts.censored),
            most=f"{CENSORED_SHARE:.0%}",
        ),
        {"censored": facts.censored, "most": CENSORED_SHARE},
        holds=facts.censored <= CENSORED_SHARE,
    )


def _duplicates(facts: DataFacts) -> Verdict:
    found = say(
        "{rows} rows repeat the key of an earlier row; the first was kept, the others are in quarantine.",
        rows=f"{facts.duplicates:,}",
    )
    return _verdict(
        "duplicates",
        say("No key occurs twice"),
        "warn",
        found if facts.duplicates else say("No key occurs twice."),
        {"duplicates": facts.duplicates},
        holds=facts.duplicates == 0,
    )


def _leakage(facts: DataFacts) -> Verdict:
    names = ", ".join(facts.leaks)
    return _verdict(
        "leakage",
        say("No feature sees the future"),
        "block",
        say("These hold later data than they may: {names}.", names=names)
        if names
        else say("No feature was found to hold later data."),
        {"leaks": len(facts.leaks), "names": names or None},
        holds=not facts.leaks,
    )


def _drift(facts: DataFacts) -> Verdict:
    moved = sorted((name for name, psi in facts.drift.items() if psi > DRIFT), key=lambda name: -facts.drift[name])
    largest = max(facts.drift.values(), default=None)
    if moved:
        names = ", ".join(f"{name} (PSI {facts.drift[name]:.2f})" for name in moved)
        reason = say(
            "{moved} of {columns} columns shifted against the previous iteration: {names}.",
            moved=len(moved), columns=len(facts.drift), names=names,
        )  # fmt: skip
    elif facts.drift:
        reason = say(
            "None of {columns} columns shifted by more than PSI {limit}; the largest is {largest}.",
            columns=len(facts.drift), limit=DRIFT, largest=f"{largest:.2f}",
        )  # fmt: skip
    else:
        reason = say("There is no earlier data to compare with yet.")
    return _verdict(
        "drift",
        say("The data still looks like that of the previous iteration"),
        "warn",
        reason,
        {"columns": len(facts.drift), "shifted": len(moved), "largest_psi": largest, "limit": DRIFT},
        holds=not moved,
    )
