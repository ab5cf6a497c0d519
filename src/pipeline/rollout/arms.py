"""The arms of a stage on record: who follows the model, who stays behind for comparison, written before the release.

A pick is made once for a project and stage. It is never made again after somebody has seen outcomes: the same pick is
answered from the record, another one is refused, and a release whose stage asks for controls is refused without it.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from sqlalchemy import select

from pipeline.charter import Stage
from pipeline.charter.reading import charter_from_canonical
from pipeline.errors import Finding, Refused
from pipeline.language import legend, recalled
from pipeline.ledger import Reader, Transaction
from pipeline.ledger.chain import canonical, digest
from pipeline.ledger.tables import arms as table
from pipeline.ledger.tables import iterations


@dataclass(frozen=True)
class Balance:
    """Standardised mean difference of one covariate: the treated against all other units, and against the controls."""

    covariate: str
    before: float
    after: float


@dataclass(frozen=True)
class Arms:
    """Who is compared on a stage.

    Attributes:
        project: the project.
        stage: the rung.
        kpi: the KPI they were matched on.
        units: all units of the stage.
        treated: those of them that did not follow the model before and have a history: the effect is theirs.
        controls: units that stay with today's rule.
        unmeasured: units of the stage without history, which nothing can be compared with.
        start: first period of the release; nothing from there on was looked at.
        before: periods before it that were.
        seed: of the pick.
        method: how the controls were picked.
        balance: per covariate.
        note: what to know about the balance, in a sentence.
    """

    project: str
    stage: str
    kpi: str
    units: tuple[str, ...]
    treated: tuple[str, ...]
    controls: tuple[str, ...]
    unmeasured: tuple[str, ...]
    start: str
    before: int
    seed: int
    method: str
    balance: tuple[Balance, ...]
    note: str

    @property
    def worst(self) -> float:
        """The largest standardised mean difference of a covariate, without its sign."""
        return max((abs(item.after) for item in self.balance), default=0.0)

    @property
    def inputs(self) -> str:
        """Hash over what was asked for; a pick from other inputs is another pick."""
        asked = (self.kpi, sorted(self.units), len(self.controls), self.start, self.before, self.seed)
        return digest(canonical([self.project, self.stage, *asked]))


def record_arms(tx: Transaction, arms: Arms, *, actor: str, role: str = "") -> Arms:
    """Write the arms of a stage, as one event; they count from here on.

    Args:
        tx: the transaction; it must commit before anything is released.
        arms: what was picked.
        actor: who picks.
        role: in which role.

    Returns:
        The arms on record: these, or those picked first from the same inputs.

    Raises:
        Refused: the stage has arms from other inputs, or controls that follow the model.
    """
    first = arms_of(tx, arms.project, arms.stage)
    if first is not None:
        if first.inputs == arms.inputs:
            return first
        tx.note_refusal("rollout.arms_refused", arms.project, arms.stage, actor, role, {"inputs": arms.inputs})
        found = f"its arms were picked already, for the release of {first.start}, from other inputs"
        remedy = "keep them: arms are never picked again once outcomes may have been seen; a new stage needs a new name"
        raise Refused("The arms of a stage are picked once", [Finding(f"stage {arms.stage}", found, remedy)])
    both = sorted(set(arms.controls) & set(arms.units))
    if both:
        remedy = "pick controls among the units that stay with today's rule"
        raise Refused("A control may not follow the model", [Finding(f"unit {both[0]}", "it is both", remedy)])
    content = plain_arms(arms)
    now = tx.now().isoformat(timespec="microseconds")
    row = {"project": arms.project, "stage": arms.stage, "inputs": arms.inputs}
    tx.execute(table.insert().values(**row, content=canonical(content), at=now))
    body = {name: content[name] for name in content if name not in {"project", "stage", "legend"}}
    tx.append("rollout.arms", arms.project, arms.stage, actor, role, json.loads(canonical(body)))
    return arms


def arms_of(reader: Reader, project: str, stage: str) -> Arms | None:
    """The arms of a stage on record, or None."""
    rows = reader.rows(select(table.c.content).where(table.c.project == project, table.c.stage == stage))
    return arms_from(json.loads(rows[0]["content"])) if rows else None


def require_arms(tx: Transaction, project: str, stage: str, charter_digest: str, units: Sequence[str]) -> None:
    """Refuse a release whose stage asks for controls unless its arms are on record and agree with it.

    Raises:
        Refused: there are no arms, a treated unit is not released, or a control is.
    """
    rung = _stage(tx, project, stage, charter_digest)
    if rung is None or not rung.controls:
        return
    place = f"stage {stage}"
    found = arms_of(tx, project, stage)
    if found is None:
        remedy = "pick and record its arms first: afterwards nobody can tell what the model changed"
        finding = Finding(place, f"it asks for {rung.controls} controls, and none are on record", remedy)
        raise Refused("A stage with controls cannot be released without them", [finding])
    controls = sorted(set(found.controls) & set(units))
    missing = sorted(set(found.treated) - set(units))
    if controls or missing:
        what = f"{controls[0]} is a control" if controls else f"{missing[0]} was to be treated and is left out"
        remedy = "release the very units whose arms are on record"
        raise Refused("The release is not the one its arms were picked for", [Finding(place, what, remedy)])


def _stage(reader: Reader, project: str, stage: str, charter_digest: str) -> Stage | None:
    """The rung as the charter of this digest has it; None where the ledger holds no such charter."""
    query = (
        select(iterations.c.charter)
        .where(iterations.c.project == project, iterations.c.charter_digest == charter_digest)
        .limit(1)
    )
    rows = reader.rows(query)
    if not rows:
        return None
    charter = charter_from_canonical(json.loads(rows[0]["charter"]))
    return next((rung for rung in charter.stages if rung.name == stage), None)


def plain_arms(arms: Arms) -> dict[str, Any]:
    """The arms as plain JSON values, with how to say their note in another language."""
    return {**asdict(arms), "legend": legend(arms.note)}


def arms_from(content: Mapping[str, Any]) -> Arms:
    """The arms that plain JSON values hold, such as an iteration's result before its release; older ones in English."""
    told = content.get("legend", {})
    values = {name: value for name, value in content.items() if name != "legend"}
    values["note"] = recalled(str(values["note"]), told)
    lists = ("units", "treated", "controls", "unmeasured")
    balance = tuple(Balance(**item) for item in content["balance"])
    return Arms(**{**values, **{name: tuple(content[name]) for name in lists}, "balance": balance})
