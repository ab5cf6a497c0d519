"""What every domain finds wrong in a charter in the same way: unknown names, values that do not fit, KPIs' units."""

import difflib
from collections.abc import Iterable, Mapping

from pydantic import BaseModel, ValidationError

from pipeline.charter import Charter
from pipeline.charter.advice import Advice, Path
from pipeline.evaluation.outcomes import KpiDefinition


def unknown(path: Path, name: str, known: Iterable[str], what: str) -> Iterable[Advice]:
    """Advice when a name is not known: the nearest one first."""
    names = tuple(known)
    if name in names:
        return
    near = difflib.get_close_matches(name, names, n=1, cutoff=0.5)
    meant = f"did you mean `{near[0]}`? " if near else ""
    yield Advice(path, f"no {what} is called '{name}'", f"{meant}write one of: {', '.join(names)}")


def invalid(path: Path, model: type[BaseModel], values: Mapping[str, object]) -> Iterable[Advice]:
    """What pydantic finds in a section of plain values, in the charter's words; one advice per key."""
    try:
        model.model_validate(values, strict=True)
    except ValidationError as error:
        told: set[str] = set()
        for found in error.errors():
            key = str(found["loc"][0])
            if key in told:
                continue  # a union reports each of its branches; one answer is enough
            told.add(key)
            if found["type"] == "extra_forbidden":
                yield from unknown((*path, key), key, model.model_fields, "parameter")
                continue
            field = model.model_fields[key]
            means = f" ({field.description})" if field.description else ""
            shown = "the key is missing" if found["type"] == "missing" else f"'{found['input']}'"
            yield Advice((*path, key), shown, f"{found['msg'][0].lower()}{found['msg'][1:]}{means}")


def unlike_kpis(charter: Charter, offered: Mapping[str, KpiDefinition]) -> Iterable[Advice]:
    """The goal and every guardrail whose name, unit or direction is not that of a KPI on offer."""
    named: list[tuple[Path, str, str, str]] = [(("kpi",), charter.kpi.name, charter.kpi.unit, charter.kpi.direction)]
    named += [
        (("guardrails", position), guard.name, guard.unit, guard.direction)
        for position, guard in enumerate(charter.guardrails)
    ]
    for path, name, unit, direction in named:
        yield from unknown((*path, "name"), name, offered, "KPI")
        kpi = offered.get(name)
        if kpi is not None and unit != kpi.unit:
            yield Advice((*path, "unit"), f"the unit '{unit}'", f"{name} is measured in: write `unit: {kpi.unit}`")
        if kpi is not None and direction != kpi.direction:
            yield Advice((*path, "direction"), f"`{direction}`", f"write `direction: {kpi.direction}` for {name}")
