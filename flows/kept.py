"""The datasets a process met last: the next iteration compares with them, and need not read back what it just wrote."""

from pathlib import Path

from pipeline.datasets import catalog
from pipeline.datasets.dataset import Dataset

#: An iteration's own, and the one before it.
_AT_MOST = 2
_met: dict[tuple[Path, str], Dataset] = {}


def keep(root: Path, dataset: Dataset) -> Dataset:
    """Have a dataset of the catalogue below ``root`` at hand until two others were met after it."""
    place = root, dataset.digest
    _met.pop(place, None)
    _met[place] = dataset
    while len(_met) > _AT_MOST:
        del _met[next(iter(_met))]
    return dataset


def kept(root: Path, digest: str) -> Dataset:
    """The dataset of this digest, from memory or else from the catalogue.

    Raises:
        DataError: it has to be read, and is not there or not what was stored.
    """
    known = _met.get((root, digest))
    return keep(root, known or catalog.load(root, digest))
