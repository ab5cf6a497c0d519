"""Model card and data sheet, from what happened: Mitchell et al., FAT* 2019, and Gebru et al., CACM 64 (12), 2021."""

from collections.abc import Iterable, Mapping

from pipeline.charter.words import Scalar
from pipeline.datasets import undated
from pipeline.evaluation.figures import show, show_change, show_interval
from pipeline.evaluation.outcomes import SliceResult
from pipeline.language.message import joined, say, term
from pipeline.reporting import words
from pipeline.reporting.documents import Document, Section
from pipeline.reporting.evidence import Evidence
from pipeline.reporting.raci import raci

#: Slices and units named in a card: the worst ones.
WORST = 8


def model_card(evidence: Evidence) -> Document:
    """What the model is for, how well it does, for whom worst, and what nobody should use it for."""
    sections = (
        _details(evidence), _use(evidence), _performance(evidence), _groups(evidence), _technical(evidence),
        _limits(evidence), _overridden(evidence), controls(evidence), raci(evidence.charter),
    )  # fmt: skip
    return Document("model-card", say("Model card"), words.headline(evidence), _filled(sections))


def data_sheet(evidence: Evidence) -> Document:
    """Which data, from whom, how much of it was refused and why, and what it cannot tell."""
    told = {"source": evidence.charter.data.source, "digest": evidence.data.digest[:16]}
    if undated.stands_in(evidence.data.cutoff):
        lead = say("Data of the source {source}, without dates, content hash {digest}.", **told)
    else:
        lead = say("Data of the source {source} up to {day}, content hash {digest}.", day=evidence.data.cutoff, **told)
    sections = (_tables(evidence), _history(evidence), _refused(evidence), _quality(evidence), _personal(evidence))
    return Document("data-sheet", say("Data sheet"), lead, _filled(sections))


def controls(evidence: Evidence) -> Section:
    """Every control with its state and reason."""
    rows = tuple(
        (term(one.text), words.CONTROL_WORDS[one.state], one.reason, "; ".join(one.sources))
        for one in evidence.controls
    )
    asked = evidence.charter.compliance
    said = say(
        "Risk class by the charter: {risk}; sets of controls: {sets}. Nothing here claims that a law is kept.",
        risk=term(asked.risk_class), sets=", ".join(asked.sets) or "–",
    )  # fmt: skip
    return Section(say("Controls"), (said,), (say("Control"), say("State"), say("Why"), say("Source")), rows)


def worst(evidence: Evidence) -> tuple[tuple[str, ...], ...]:
    """The worst units and slices: name, value, model, baseline."""
    unit = evidence.goal.kpi.unit
    results = (*evidence.evaluation.units[:WORST], *_first_of_each(evidence))
    return tuple(
        (
            term(one.slice.replace("_", " ")),
            undated.shown(one.value, evidence.charter.data.period),
            show(one.arm, unit),
            show(one.baseline, unit),
        )
        for one in results
    )


def _first_of_each(evidence: Evidence) -> Iterable[SliceResult]:
    seen: dict[str, int] = {}
    for one in evidence.evaluation.slices:
        seen[one.slice] = seen.get(one.slice, 0) + 1
        if seen[one.slice] <= 3:
            yield one


def _filled(sections: Iterable[Section]) -> tuple[Section, ...]:
    return tuple(section for section in sections if section.sentences or section.rows)


def _details(evidence: Evidence) -> Section:
    model, charter = evidence.model, evidence.charter
    rows = [
        (say("Name and version"), say("{name}, version {version}", name=model.name, version=model.version)),
        (say("Hash of the model files"), model.digest),
        (say("Algorithm and features"), _spec(evidence)),
        (say("Decision policy"), _parameters(charter.policy.name, charter.policy.parameters)),
        (say("Trained on data with the hash"), evidence.data.digest),
        (say("Made by code"), evidence.code_version),
        (say("Seed"), str(evidence.seed)),
        (say("Iteration and stage"), f"{evidence.iteration}, {evidence.stage.name}"),
        (say("Started by"), words.name_of(charter, evidence.started_by)),
        (say("Answers for the KPI"), words.name_of(charter, charter.kpi.owner)),
    ]
    return Section(say("The model"), (), (say("What"), say("Value")), tuple(rows))


def _spec(evidence: Evidence) -> str:
    spec = next((one for one in evidence.charter.model.candidates if one.name == evidence.model.name), None)
    return (
        _parameters(f"{spec.algorithm}: {', '.join(spec.features)}", spec.parameters) if spec else evidence.model.name
    )


def _parameters(name: str, parameters: Mapping[str, Scalar]) -> str:
    told = ", ".join(f"{key} {value}" for key, value in parameters.items())
    return f"{name} ({told})" if told else name


def _use(evidence: Evidence) -> Section:
    charter = evidence.charter
    sentences = (
        charter.pain_point,
        say("It decides: {decision}", decision=charter.decision),
        say("Meant for: {scope}", scope="; ".join(charter.scope.included)),
        say("Not meant for: {scope}", scope="; ".join(charter.scope.excluded) or say("nothing was named")),
    )
    return Section(say("Intended use"), sentences)


def _performance(evidence: Evidence) -> Section:
    rows = tuple(
        (
            term(one.kpi.title), show_interval(one.value, one.kpi.unit), show_interval(one.baseline, one.kpi.unit),
            say("{change} ({low} to {high})", change=show_change(one.difference.value, one.kpi.unit),
                low=show_change(one.difference.low, one.kpi.unit),
                high=show_change(one.difference.high, one.kpi.unit)),
        )
        for one in evidence.evaluation.kpis
    )  # fmt: skip
    heading = (say("Figure"), say("Model"), words.baseline_label(evidence), say("Difference"))
    return Section(say("How well it does"), (evidence.evaluation.basis, words.comparison(evidence)), heading, rows)


def _groups(evidence: Evidence) -> Section:
    heading = (say("Slice"), say("Value"), say("Model"), words.baseline_label(evidence))
    return Section(say("For whom it does worst"), (), heading, worst(evidence))


def _technical(evidence: Evidence) -> Section:
    rows = tuple(
        (
            one.name, show_interval(one.confirmed, evidence.goal.kpi.unit),
            ", ".join(f"{name} {value:.4g}" for name, value in one.metrics.items()),
        )
        for one in evidence.backtest
    )  # fmt: skip
    said = (say("On games kept aside to confirm the choice; technical figures are shown and never decide."),)
    return Section(
        say("Candidates in the backtest"), said if rows else (),
        (say("Candidate"), term(evidence.goal.kpi.title), say("Technical figures")), rows,
    )  # fmt: skip


def _limits(evidence: Evidence) -> Section:
    limits, sentences = evidence.charter.compliance.limits, list(evidence.limits)
    if limits.max_change is not None:
        sentences.append(
            say("A decision changes today's rule by at most {factor} times it.", factor=f"{limits.max_change:g}")
        )
    if limits.cap is not None:
        sentences.append(say("No single decision is larger than {cap}.", cap=f"{limits.cap:g}"))
    if limits.outside_training == "refuse":
        sentences.append(say("Outside the range it was trained on, today's rule decides."))
    return Section(say("Limits"), tuple(sentences))


def _overridden(evidence: Evidence) -> Section:
    found = evidence.overrides
    if found is None:
        return Section(say("Decisions people changed"))
    said = say(
        "{changed} of {decisions} served decisions ({rate}) were changed by {people} people.",
        changed=found.changed, decisions=found.decisions, rate=show(found.rate, "share"), people=found.people,
    )  # fmt: skip
    if not found.told:
        return Section(say("Decisions people changed"), (said,))
    outcome = say(
        "Of {told} whose outcome is known, {better} did better than the model's; in all they saved {saved}.",
        told=found.told, better=found.better, saved=show_change(found.saved, evidence.charter.budget.currency),
    )  # fmt: skip
    return Section(say("Decisions people changed"), (said, outcome))


def _tables(evidence: Evidence) -> Section:
    rows = tuple(
        (
            table.name, table.owner, f"{evidence.data.loaded.get(table.name, 0):,}",
            f"{evidence.data.loaded.get(table.name, 0) - evidence.data.kept.get(table.name, 0):,}",
            say("{age} of {allowed} days", age=evidence.assessment.facts.ages_days.get(table.name, 0),
                allowed=table.freshness_days),
        )
        for table in evidence.charter.data.tables
    )  # fmt: skip
    heading = (say("Table"), say("Who answers for it"), say("Rows loaded"), say("Rows refused"), say("Age"))
    return Section(say("Where it comes from"), (), heading, rows)


def _history(evidence: Evidence) -> Section:
    facts = evidence.assessment.facts
    period = words.PERIODS[evidence.charter.data.period]
    told = {"number": f"{facts.periods:,}", "units": f"{facts.units:,}", "unit_word": term(evidence.units_word)}
    if undated.stands_in(evidence.data.cutoff):
        held = say("{number} groups of cases without dates, in {units} {unit_word}.", **told)
    else:
        series = f"{facts.series:,}"
        held = say(
            "{number} {periods} of {series} series in {units} {unit_word}.", **told, periods=period, series=series
        )
    sentences = (
        held,
        say("{share} of the expected figures are there.", share=show(facts.coverage, "share")),
        say("{share} hide demand behind a stock-out or the like.", share=show(facts.censored, "share")),
        *facts.notes,
    )  # fmt: skip
    return Section(say("What it holds"), sentences)


def _refused(evidence: Evidence) -> Section:
    rows = tuple((one.table, one.reason, f"{one.rows:,}", one.example) for one in evidence.data.reasons)
    heading = (say("Table"), say("Reason"), say("Rows"), say("One of them"))
    return Section(say("Why rows were refused"), (), heading, rows)


def _quality(evidence: Evidence) -> Section:
    rows = tuple((one.title, words.WORDS[words.verdict_state(one)], one.reason) for one in evidence.assessment.verdicts)
    return Section(say("Data quality"), (), (say("Check"), say("Result"), say("Why")), rows)


def _personal(evidence: Evidence) -> Section:
    asked = evidence.charter.compliance
    declared = tuple(
        say("{column}: {purpose}", column=one.column, purpose=one.purpose) for one in asked.personal_data
    ) or (say("No column with personal data is declared."),)
    kept = say("Records are kept {days} days or more.", days=asked.retention_days)
    held = joined([kept, say("A legal hold is in force: nothing is deleted.")]) if asked.legal_hold else kept
    return Section(say("Personal data and retention"), (*declared, held))
