"""The folder of a project, written from a file and people's answers; what nobody answered is marked."""

import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from email.utils import parseaddr
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
from jinja2 import Environment, StrictUndefined

from pipeline.charter import Charter
from pipeline.charter.document import parse
from pipeline.charter.model import PersonId
from pipeline.charter.reading import read_charter
from pipeline.charter.schema import schema_text
from pipeline.charter.unfilled import unfilled
from pipeline.datasets import catalog
from pipeline.datasets.contracts import apply_contracts
from pipeline.datasets.dataset import Dataset
from pipeline.errors import Finding, LandedError, Refused
from pipeline.problems.starting import Answers, Column, Proposal, Started
from pipeline.tabular.cases import cases_of
from pipeline.tabular.facts import coverage
from pipeline.tabular.parameters import slug
from pipeline.tabular.problem import Tabular
from pipeline.tabular.recorded import measured
from pipeline.tabular.starting.contract import contract_text
from pipeline.tabular.starting.plan import AMOUNTS, BASELINES, WORTH, Plan, plan_for, shape_for
from pipeline.tabular.starting.profile import MOST_CATEGORIES, Profile, profiled, task_of

TABLE = "cases"
FOLDERS = ("configs", "flows", f"data/{TABLE}", "reports", "tests")
_PAGES = {"Makefile.tmpl": "Makefile", "README.md.tmpl": "README.md", "test_contract.py.tmpl": "tests/test_contract.py"}
#: Whoever needs no more than this is asked for nothing else.
_OPTIONAL = frozenset({"correct_rejection"})


class Starting:
    """Starts a project on a table; see :class:`pipeline.problems.starting.Starter`."""

    def propose(self, file: Path) -> Proposal:
        """What the file looks like."""
        found = profiled(file)
        names = [str(name) for name in found.frame.columns]
        columns = tuple(Column(name, found.kind(name), found.seen(name)) for name in names)
        return Proposal(len(found.frame), columns, found.key, found.time, found.unit, found.targets)

    def worth(self, file: Path, target: str) -> tuple[tuple[str, str], ...]:
        """The values to ask for."""
        return WORTH[shape_for(task_of(profiled(file).frame[slug(target)]), {})]

    def baselines(self, file: Path, target: str) -> tuple[str, ...]:
        """The baselines to choose from."""
        return (*BASELINES[shape_for(task_of(profiled(file).frame[slug(target)]), {})], "today=COLUMN")

    def start(self, file: Path, answers: Answers, folder: Path, today: date) -> Started:
        """Write the folder."""
        profile = profiled(file)
        plan = plan_for(profile, answers)
        _require_empty(folder)
        for name in FOLDERS:
            (folder / name).mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, folder / "data" / TABLE / f"{TABLE}{'.parquet' if file.suffix == '.parquet' else '.csv'}")
        rules = contract_text(profile, plan.key, plan.target, plan.classes)
        _write(folder / "data" / TABLE / "contract.csv", rules)
        for template, page in _PAGES.items():
            heading, target = answers.title or folder.name, plan.target or "target"
            _write(folder / page, _rendered(template, heading=heading, target=target))
        _write(folder / ".gitignore", f"data/*\n!data/{TABLE}/\nreports/*\n!reports/.gitkeep\n")
        _write(folder / "configs" / "charter.schema.json", schema_text())
        for name in ("flows", "reports"):
            _write(folder / name / ".gitkeep", "")
        charter = folder / "configs" / "charter.yaml"
        words = _words(file, profile, plan, answers, folder, today)
        _write(charter, _rendered("charter.yaml.tmpl", **words, worst="0", coverage="0.5", measured=""))
        found = _measured(charter, folder / "data" / TABLE, today)
        worst = _todo("the KPI that no single unit may be worse than") if found is None else str(found.worst)
        share = "0.5" if found is None else str(found.coverage)
        said = "" if found is None else found.sentence
        _write(charter, _rendered("charter.yaml.tmpl", **words, worst=worst, coverage=share, measured=said))
        left = len(list(unfilled(parse(charter.read_bytes()).data)))
        return Started(folder, charter, left, _notes(plan, found, answers, profile.personal))


@dataclass(frozen=True)
class _Measured:
    """What the baseline gives on the table: over all units, and in the worst one."""

    baseline: float
    worst: float
    coverage: float
    sentence: str


def _measured(charter: Path, data: Path, today: date) -> _Measured | None:
    """The baseline played on the table; None while the charter cannot be read yet."""
    problem = Tabular()
    try:
        found = read_charter(charter, today, problem.check)
        dataset = _dataset(problem, found, data)
        cases = cases_of(found, dataset.tables)
        units = problem.units(found, dataset, found.stages[-1])
        whole = measured(found, cases, units)
        single = [measured(found, cases, (unit,)) for unit in units]
    except LandedError:
        return None
    known = [value for value in single if np.isfinite(value)]
    worst = min(known, default=whole)
    sentence = (
        f"Measured on the newest {found.kpi.baseline.measured_over} {found.data.period}s: "
        f"{found.kpi.baseline.policy} gives {whole:.4g} {found.kpi.unit}, in the worst unit {worst:.4g}."
    )
    least = max(0.1, np.floor(coverage(cases) * 9) / 10)
    return _Measured(whole, float(f"{worst:.4g}"), float(least), sentence)


def _dataset(problem: Tabular, charter: Charter, data: Path) -> Dataset:
    raw = problem.load(charter, data)
    clean, quarantine = apply_contracts(raw, problem.contracts(charter, raw))
    return Dataset(clean, catalog.digest(clean), problem.cutoff(clean), quarantine)


def _words(file: Path, profile: Profile, plan: Plan, answers: Answers, folder: Path, today: date) -> dict[str, Any]:
    """Everything of the charter but what is measured."""
    counted = answers.counted_in
    unit = f"{counted} per case" if counted else ""
    named = BASELINES[plan.shape] if plan.shape else ("a name out of docs/tabular.md",)
    return {
        "file": file.name, "rows": f"{len(profile.frame):,}", "project": slug(folder.name).replace("_", "-"),
        "title": _said(answers.title, "what people call the project"),
        "pain_point": _said(answers.pain_point, "what hurts today, whom and how much, in a sentence"),
        "decision": _said(answers.decision, "who decides what and how often, in a sentence"),
        "kpis": _KPIS.get(plan.shape or "", "see docs/tabular.md"),
        "kpi_unit": _said(unit, "what values are counted in, such as EUR per case"),
        "baselines": ", ".join(named),
        "baseline": _said(plan.baseline, f"today's way to decide: {', '.join(named)} or today"),
        "measured_over": max(4, min(26, plan.periods // 2)),
        "goal": _todo("the number that means success, in the KPI's unit") if answers.goal is None else answers.goal,
        "deadline": answers.deadline or _todo("the day by which, as YYYY-MM-DD"),
        "owner": _person(answers.owner, "whoever answers for the KPI"),
        "sponsor": _person(answers.sponsor, "whoever pays and can stop the project"),
        "corporate": _quoted(f"value of this decision, in {counted or 'the unit above'}"),
        "today": today.isoformat(), "plan": plan, "minimum_history": max(8, plan.periods * 3 // 4),
        "task": plan.task or _todo("binary, multiclass or regression, as the target asks for"),
        "key": plan.key or _todo("the column that names a case; no column is different in every row"),
        "target": plan.target or _todo(_candidates(profile)),
        "positive": _positive(plan), "classes": _quoted(", ".join(plan.classes)) if plan.task == "multiclass" else "",
        "proposed_time": not answers.time, "proposed_unit": not answers.unit, "ignore": _ignored(profile, plan),
        "counted_in": _said(counted, "what values count: EUR, hours, cases"), "worth": _worth(plan, answers),
        "policy": plan.policy or _todo("expected_value, cost_matrix or estimate, as the target asks for"),
        "currency": counted if len(counted) == 3 and counted.isupper() else "EUR",
    }  # fmt: skip


_KPIS = {
    "act": "value_per_period, workload, handled_per_period, missed_share, false_alarms",
    "assign": "value_per_period, right_share",
    "estimate": "value_per_period, mean_error",
}


def _candidates(profile: Profile) -> str:
    """What the mark of an unnamed target says: nobody guesses it, but it says what it might be."""
    if not profile.targets:
        return "the column that is to be foreseen"
    perhaps = " or ".join(f"{name} ({task}, {why})" for name, task, why in profile.targets[:3])
    return f"the column that is to be foreseen; perhaps {perhaps}"


def _positive(plan: Plan) -> str:
    if plan.task not in (None, "binary"):
        return ""
    if plan.positive:
        return _quoted(plan.positive)
    return _todo(f"the value that asks for action: {' or '.join(plan.classes)}") if plan.task else ""


def _ignored(profile: Profile, plan: Plan) -> str:
    """Texts of too many values, such as names: nothing is learned from them."""
    roles = {plan.key, plan.target, plan.unit, plan.time, plan.today}
    many = [
        str(name)
        for name in profile.frame.columns
        if name not in roles and profile.kind(str(name)) == "text" and profile.frame[name].nunique() > MOST_CATEGORIES
    ]
    return _quoted(", ".join(many)) if many else ""


def _worth(plan: Plan, answers: Answers) -> list[tuple[str, str, str]]:
    """Name, value or mark, and meaning of everything decisions are worth."""
    if plan.shape is None:
        return []
    amounts = plan.shape == "act" and plan.task == "regression"
    asked = AMOUNTS if amounts else WORTH[plan.shape]
    counted = answers.counted_in or "the unit above"
    found = []
    for name, meaning in asked:
        value = answers.worth.get(name, 0.0 if name in _OPTIONAL else None)
        shown = _todo(f"a number, in {counted}: {meaning}") if value is None else f"{value:g}"
        found.append((name, shown, meaning))
    known = {name for name, _ in asked}
    return found + [
        (name, f"{value:g}", "truth, then decision") for name, value in answers.worth.items() if name not in known
    ]


def _person(text: str, who: str) -> dict[str, str]:
    name, mail = parseaddr(text)
    name = name or text.strip()
    if not name:
        asked = _todo(f"the id of {who}, such as ada.lund")
        return {"id": asked, "name": _todo(f"the name of {who}"), "channel": _todo("mailto: and an address")}
    person: PersonId = ".".join(slug(part) for part in name.split())
    channel = _quoted(f"mailto:{mail}") if "@" in mail else _todo("mailto: and an address")
    return {"id": person, "name": _quoted(name), "channel": channel}


def _notes(plan: Plan, found: _Measured | None, answers: Answers, personal: Mapping[str, str]) -> tuple[str, ...]:
    notes = []
    if found is not None and answers.goal is not None and answers.goal <= found.baseline:
        notes.append(f"The target {answers.goal:g} asks for no more than today gives. {found.sentence}")
    if not plan.time:
        notes.append("No column of dates is used: what is judged on seeded groups need not hold at a later time.")
    notes += [
        f"{name} looks like personal data ({why}): leave it out of the table, or write its purpose under "
        "compliance.personal_data; until then nobody may advance."
        for name, why in personal.items()
    ]
    return tuple(notes)


def _said(text: str, asked: str) -> str:
    return _quoted(text) if text else _todo(asked)


def _todo(asked: str) -> str:
    return _quoted(f"TODO({asked})")


def _quoted(text: str) -> str:
    """A text as YAML writes it in double quotes."""
    return json.dumps(text, ensure_ascii=False)


def _rendered(template: str, **words: Any) -> str:
    text = (files(__package__ or "") / "templates" / template).read_text(encoding="utf-8")
    # Plain text for files, no page: nothing is escaped but what is quoted here.
    environment = Environment(undefined=StrictUndefined, keep_trailing_newline=True)  # noqa: S701
    return environment.from_string(text).render(**words)


def _require_empty(folder: Path) -> None:
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        finding = Finding(str(folder), "it is not empty", "name a new folder: nothing of yours is written over")
        raise Refused("The project is not written", [finding])


def _write(path: Path, text: str) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        finding = Finding(str(path), f"it cannot be written: {error.strerror}", "name a folder you may write")
        raise Refused("The project is not written", [finding]) from error
