"""Is this data good, and is it enough, for this charter: one verdict per question, each with its figures."""

from pipeline.charter import Charter
from pipeline.charter.model import Table
from pipeline.datasets.dataset import Assessment, DataFacts, Quarantine
from pipeline.verdicts import Outcome, Severity, Verdict

Figures = dict[str, float | int | str | None]

#: Above this share of censored cells demand is guessed more than seen; VN2, a hard real case, has 11 %.
CENSORED_SHARE = 0.20
#: Population stability index above which a column counts as shifted (Siddiqi, Credit Risk Scorecards, ch. 8: 0.1
#: slight, above 0.25 major; 0.2 is the usual alarm).
DRIFT = 0.20


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


def _coverage(facts: DataFacts, charter: Charter) -> Verdict:
    least = charter.data.min_coverage
    reason = f"{facts.coverage:.2%} of the expected {charter.data.period}s of {facts.series:,} series have data; "
    return _verdict(
        "coverage",
        "The data covers the series it should cover",
        "block",
        reason + f"at least {least:.2%} is asked.",
        {"coverage": facts.coverage, "least": least, "series": facts.series, "units": facts.units},
        holds=facts.coverage >= least,
    )


def _history(facts: DataFacts, charter: Charter) -> Verdict:
    least, period = charter.data.minimum_history, charter.data.period
    return _verdict(
        "history",
        "The history is long enough",
        "block",
        f"The history has {facts.periods} {period}s; the charter asks for at least {least}.",
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
        reason = f"Table {table.name} is {age} days behind; {table.owner} promises at most {table.freshness_days}."
    elif loaded:
        reason = f"Table {table.name} has no dates of its own; it is taken to be as fresh as the delivery it came with."
    else:
        outcome, reason = "fail", f"Table {table.name} is not there; ask {table.owner}."
    figures: Figures = {"age_days": age, "most": table.freshness_days}
    return Verdict(f"data.freshness.{table.name}", f"Table {table.name} is fresh", outcome, "block", reason, figures)


def _refused(quarantine: Quarantine, charter: Charter) -> Verdict:
    most = charter.data.max_quarantine_share
    refused, loaded = quarantine.refused, quarantine.loaded
    shares = {table: refused[table] / max(rows, 1) for table, rows in loaded.items()}
    worst = max(shares, key=lambda table: shares[table], default=None)
    share = shares[worst] if worst is not None else 0.0
    reason = f"{sum(refused.values()):,} of {sum(loaded.values()):,} rows were refused; "
    if worst is not None:
        reason += f"the worst table is {worst} with {share:.2%} ({refused[worst]:,} of {loaded[worst]:,}), "
    return _verdict(
        "quarantine",
        "Few rows break the contract",
        "block",
        reason + f"at most {most:.2%} of a table is allowed.",
        {"refused": sum(refused.values()), "loaded": sum(loaded.values()), "worst_table": worst, "share": share,
         "most": most},
        holds=share <= most,
    )  # fmt: skip


def _censoring(facts: DataFacts) -> Verdict:
    return _verdict(
        "censoring",
        "Demand is seen, not hidden by stock-outs",
        "warn",
        f"In {facts.censored:.2%} of the cells a stock-out hides demand; above {CENSORED_SHARE:.0%} forecasts rest on "
        "guesses.",
        {"censored": facts.censored, "most": CENSORED_SHARE},
        holds=facts.censored <= CENSORED_SHARE,
    )


def _duplicates(facts: DataFacts) -> Verdict:
    found = f"{facts.duplicates:,} rows repeat the key of an earlier row"
    return _verdict(
        "duplicates",
        "No key occurs twice",
        "warn",
        f"{found}; the first was kept, the others are in quarantine." if facts.duplicates else "No key occurs twice.",
        {"duplicates": facts.duplicates},
        holds=facts.duplicates == 0,
    )


def _leakage(facts: DataFacts) -> Verdict:
    names = ", ".join(facts.leaks)
    return _verdict(
        "leakage",
        "No feature sees the future",
        "block",
        f"These hold later data than they may: {names}." if names else "No feature was found to hold later data.",
        {"leaks": len(facts.leaks), "names": names or None},
        holds=not facts.leaks,
    )


def _drift(facts: DataFacts) -> Verdict:
    moved = sorted((name for name, psi in facts.drift.items() if psi > DRIFT), key=lambda name: -facts.drift[name])
    largest = max(facts.drift.values(), default=None)
    if moved:
        names = ", ".join(f"{name} (PSI {facts.drift[name]:.2f})" for name in moved)
        reason = f"{len(moved)} of {len(facts.drift)} columns shifted against the previous iteration: {names}."
    elif facts.drift:
        reason = f"None of {len(facts.drift)} columns shifted by more than PSI {DRIFT}; the largest is {largest:.2f}."
    else:
        reason = "There is no earlier data to compare with yet."
    return _verdict(
        "drift",
        "The data still looks like that of the previous iteration",
        "warn",
        reason,
        {"columns": len(facts.drift), "shifted": len(moved), "largest_psi": largest, "limit": DRIFT},
        holds=not moved,
    )
