"""One iteration of the whole chain: what it costs beside its fits, and what the same command costs a second time."""

import json
import sys
from dataclasses import dataclass
from pathlib import Path

import chain
import yaml
from children import Measured, landed, measure, stores
from figures import Figure, Result, unjudged
from flagship import CHARTER
from turns import SIDES

from pipeline.replenishment.parameters import LightGBM

REST, SECOND = 0.35, 0.10
#: More than the training rows there are, and what a charter that says nothing draws.
EVERY_ROW, AS_SHIPPED = 5_000_000, LightGBM().row_budget
_AT_MOST = 1800.0
#: Stores, products and weeks of a quick run's world.
_SMALL = (24, 20, 120)


@dataclass(frozen=True)
class _Ran:
    whole: Measured
    fits: int
    cpu: float

    @property
    def ratio(self) -> float:
        """Everything but the fits, to the fits."""
        return (self.whole.cpu - self.cpu) / self.cpu


def iteration(work: Path, logs: Path, *, quick: bool) -> Result:
    """An iteration in a world of the bench's size, its models fitted on every row and on a draw; the latter again."""
    work.mkdir(exist_ok=True)
    size = _SMALL if quick else (chain.STORES, chain.PRODUCTS, chain.WEEKS)
    every, drawn = (_ran(work / name, logs, size, rows) for name, rows in (("every", EVERY_ROW), ("drawn", AS_SHIPPED)))
    command = landed("run", *_arguments(work / "drawn"))
    again = measure(command, stores(work / "drawn"), logs / "iteration-again.log", at_most=_AT_MOST)
    judged = (
        Figure("everything of an iteration but the fits, to the fits on every row", every.ratio, "×", REST),
        Figure(f"the same where {AS_SHIPPED:,} rows are drawn, as shipped", drawn.ratio, "×", REST),
        Figure(
            "the same command again on the same inputs, to the first time", again.cpu / drawn.whole.cpu, "×", SECOND
        ),
    )
    return Result(
        "iteration",
        (
            *(unjudged(judged) if quick else judged),
            Figure(f"one iteration on every row, CPU of all its processes ({every.fits} fits)", every.whole.cpu, "s"),
            Figure("its fits", every.cpu, "s"),
            Figure("one iteration as shipped, likewise", drawn.whole.cpu, "s"),
            Figure("its fits", drawn.cpu, "s"),
            Figure("the same command again", again.cpu, "s"),
        ),
        (every.whole, drawn.whole, again),
        {"fits": every.fits},
    )


def _ran(folder: Path, logs: Path, size: tuple[int, int, int], rows: int) -> _Ran:
    """The first iteration in stores and a world of its own."""
    folder.mkdir()
    _charter(folder, size[0], rows)
    _found(folder, *size)
    out = folder / "fits.json"
    command = [sys.executable, str(SIDES / "one_command.py"), str(out), "run", *map(str, _arguments(folder))]
    whole = measure(command, stores(folder), logs / f"iteration-{folder.name}.log", at_most=_AT_MOST)
    told = json.loads(out.read_text(encoding="utf-8"))
    return _Ran(whole, told["fits"], told["cpu"])


def _arguments(folder: Path) -> tuple[Path | str, ...]:
    return folder / "charter.yaml", "--data", folder / "world"


def _charter(folder: Path, units: int, rows: int) -> None:
    """The shipped charter as the recorded decisions leave it, with one rung for all stores."""
    values = yaml.safe_load(CHARTER.read_text(encoding="utf-8"))
    values["stages"] = [values["stages"][-1] | {"units": units}]
    values["model"]["train_on"] = "all"
    if units < chain.STORES:
        values["data"]["max_quarantine_share"] = 0.05
    values["policy"] = {"name": "paths", "parameters": {"service_level": 0.98, "paths": 200}}
    for candidate in values["model"]["candidates"]:
        candidate["features"] += ["promotions", "holidays"]
        candidate["parameters"]["row_budget"] = rows
    text = yaml.safe_dump(values, sort_keys=False, allow_unicode=True)
    (folder / "charter.yaml").write_text(text, encoding="utf-8")


def _found(folder: Path, shops: int, products: int, weeks: int) -> None:
    from pipeline.replenishment.demand import WorldSpec
    from pipeline.replenishment.field import tables_at

    tables_at(folder / "world", WorldSpec(stores=shops, products=products, weeks=weeks, seed=chain.SEED, lead_time=2))
