"""One booster fitted by several processes, each on rows that lie with it: LightGBM's data-parallel training on Dask.

Rows that are too many for one process are written where they are made, and are never together anywhere. The trees are
not one process's to the last bit: features are cut into bins by the rows each process sees, and sums of gradients are
added up by process. They are the same whenever as many processes share the same parts.

While it trains, LightGBM listens on a port of every network of its machine, and asks nobody who they are.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.errors import Finding, ModelError
from pipeline.problems.parts import Gang, Place
from pipeline.replenishment.history import History
from pipeline.replenishment.training import Rows, joined

#: Minutes a process waits for another one that does not answer.
PATIENCE = 2
#: What the model text says of the machines it was fitted on, which tells nothing of the model.
_NETWORK = re.compile(
    r"^\[(?:num_machines|local_listen_port|time_out|machine_list_filename|machines): .*\]\n", re.MULTILINE
)


#: One process's part of a fit: its place and the paths of its rows → the model's text, from the first process.
Share = Callable[[Place, Sequence[Path]], str]


@dataclass(frozen=True)
class Together:
    """Who fits, and the folder all of them see."""

    gang: Gang
    folder: Path

    def fitted(self, share: Share, kept: Sequence["Kept"]) -> str:
        """The text of a booster fitted on rows that were kept.

        Raises:
            ModelError: the processes did not come to an end together.
        """
        try:
            texts = self.gang(share, [each.path for each in kept if each.rows])
        except Exception as error:
            # Whatever went wrong on another machine, in its own words.
            remedy = "repeat the command; if it happens again, raise LANDED_DASK_ROWS so that one process fits"
            raise ModelError(
                "the workers could not fit a model together",
                [Finding("LANDED_ENGINE", f"{type(error).__name__}: {error}", remedy)],
            ) from error
        return str(texts[0])


@dataclass(frozen=True)
class Kept:
    """Rows of a part that stay with the workers.

    Attributes:
        path: of the rows.
        rows: how many.
        demand: their sum, units.
        names: of the features.
    """

    path: Path
    rows: int
    demand: float
    names: tuple[str, ...]


def keep(folder: Path, drawn: Callable[[History], Sequence[Rows]], history: History) -> tuple[Kept, ...]:
    """Write the rows of a part for each draw."""
    place = history.panel.chain.place
    return tuple(
        _kept(folder / f"{place:04d}" / f"rows-{number}.npz", rows) for number, rows in enumerate(drawn(history))
    )


def _kept(path: Path, rows: Rows) -> Kept:
    cells: dict[str, Any] = {one.name: np.asarray(getattr(rows, one.name)) for one in fields(Rows)}
    np.savez(path, **cells)
    return Kept(path, len(rows.demand), float(rows.demand.sum()), rows.names)


def read(paths: Sequence[Path]) -> Rows:
    """Rows of some parts after each other."""
    return joined([_read(path) for path in paths])


def _read(path: Path) -> Rows:
    with np.load(path, allow_pickle=False) as held:
        cells: dict[str, Any] = {one.name: held[one.name] for one in fields(Rows)}
    return Rows(**cells | {"names": tuple(cells["names"].tolist())})


def fit_share(parameters: Mapping[str, Any], rows: Rows, weights: Mapping[str, Any], place: Place) -> str:
    """Train along with the other processes on one's own rows; the first one tells the model, which all of them have."""
    from lightgbm import LGBMRegressor
    from lightgbm.dask import _train_part

    fitted = _train_part(
        params={**parameters, "tree_learner": "data"},
        model_factory=LGBMRegressor,
        list_of_parts=[{"data": rows.features, "label": rows.demand, **weights}],
        machines=",".join(place.machines),
        local_listen_port=int(place.machines[place.rank].rpartition(":")[2]),
        num_machines=len(place.machines),
        return_model=place.rank == 0,
        time_out=PATIENCE,
        remote_socket=None,
        feature_name=list(rows.names),
    )
    return "" if fitted is None else _NETWORK.sub("", fitted.booster_.model_to_string())
