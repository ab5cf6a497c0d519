"""What a benchmark yields: figures with their limits, and the file they are kept in."""

import json
import os
import platform
import sys
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from children import Measured

_PACKAGES = (
    "landed",
    "prefect",
    "mlflow",
    "evidently",
    "lightgbm",
    "scikit-learn",
    "pandas",
    "numpy",
    "pandera",
    "rich",
)


@dataclass(frozen=True)
class Figure:
    """One measured figure.

    Attributes:
        title: what was measured.
        value: the figure.
        unit: ``s``, ``GiB``, ``×`` or empty.
        limit: the most that is allowed; None for a figure that is only shown.
        least: the least that is asked for; None likewise.
    """

    title: str
    value: float
    unit: str
    limit: float | None = None
    least: float | None = None

    @property
    def within(self) -> bool | None:
        """Whether the limit is kept; None without one. What is not a number keeps no limit."""
        if self.limit is None and self.least is None:
            return None
        return (self.limit is None or self.value <= self.limit) and (self.least is None or self.value >= self.least)


@dataclass(frozen=True)
class Result:
    """A benchmark that ran, was skipped, or failed.

    Attributes:
        name: of the benchmark.
        figures: what was measured.
        runs: the children behind the figures.
        details: further figures for the file.
        skipped: why it did not run; empty if it did.
        failed: why it has no figures; empty if it has.
    """

    name: str
    figures: tuple[Figure, ...] = ()
    runs: tuple[Measured, ...] = ()
    details: Mapping[str, Any] = field(default_factory=dict)
    skipped: str = ""
    failed: str = ""

    @property
    def good(self) -> bool:
        """No failure, no limit exceeded."""
        return not self.failed and all(figure.within is not False for figure in self.figures)


def unjudged(figures: tuple[Figure, ...]) -> tuple[Figure, ...]:
    """The same figures without their limits: a small world says nothing about limits set for the whole one."""
    return tuple(Figure(figure.title, figure.value, figure.unit) for figure in figures)


def machine() -> dict[str, str | int | float]:
    """What the figures were measured on, without names of hosts or paths."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return {
        "cores": len(os.sched_getaffinity(0)),
        "processor": _processor(),
        "memory_gib": round(memory, 1),
        "system": f"{platform.system()} {platform.release().split('-')[0]}",
        "python": platform.python_version(),
        "load_at_start": round(os.getloadavg()[0], 2),
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.machine()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def versions() -> dict[str, str]:
    """Packages that the figures depend on."""
    return {"python": sys.version.split()[0]} | {name: version(name) for name in _PACKAGES}


def write(result: Result, folder: Path, on: Mapping[str, str | int | float], *, quick: bool) -> Path:
    """Keep a result as JSON; written whole or not at all."""
    body = {
        "benchmark": result.name,
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "quick": quick,
        "machine": on,
        "versions": versions(),
        "figures": [asdict(figure) | {"within": figure.within} for figure in result.figures],
        "runs": [asdict(run) for run in result.runs],
        "details": result.details,
        "skipped": result.skipped,
        "failed": result.failed,
    }
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{result.name}.json"
    partial = path.with_suffix(".partial")
    partial.write_text(json.dumps(body, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    partial.replace(path)
    return path


def kept(folder: Path, names: Iterable[str]) -> list[tuple[Result, Mapping[str, Any]]]:
    """The results that lie in a folder, each with the whole of its file, in the order asked for."""
    found: list[tuple[Result, Mapping[str, Any]]] = []
    for name in names:
        path = folder / f"{name}.json"
        if not path.exists():
            found.append((Result(name, skipped="not measured here"), {}))
            continue
        body = json.loads(path.read_text(encoding="utf-8"))
        figures = tuple(
            Figure(**{key: value for key, value in one.items() if key != "within"}) for one in body["figures"]
        )
        result = Result(name, figures, details=body["details"], skipped=body["skipped"], failed=body["failed"])
        found.append((result, body))
    return found
