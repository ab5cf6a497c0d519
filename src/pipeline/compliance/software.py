"""The software in use: every package Landed depends on here, its licence, and the advisories a file knows of."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import cache
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path
from typing import Any

from pipeline.errors import DataError, Finding

ROOT = "landed"
_NAME = re.compile(r"^\s*([A-Za-z0-9][A-Za-z0-9._-]*)")
_EXTRA = re.compile(r";.*\bextra\b")
_CLASSIFIER = "License :: "
#: A licence field may hold the whole text of the licence.
_LONGEST = 80
_REMEDY = "write it anew: `pip-audit --format json --output FILE`"


@dataclass(frozen=True)
class Package:
    """One installed package; ``licence`` is empty where its metadata names none."""

    name: str
    version: str
    licence: str


@dataclass(frozen=True)
class Advisory:
    """A known weakness of an installed package."""

    package: str
    version: str
    id: str
    fixed_in: tuple[str, ...]


@dataclass(frozen=True)
class Software:
    """What is installed, and what is known against it.

    Attributes:
        packages: every package Landed depends on, directly or not, by name.
        advisories: those that concern an installed version; None where no file was given.
        as_of: the day the advisories' file was written.
    """

    packages: tuple[Package, ...]
    advisories: tuple[Advisory, ...] | None
    as_of: date | None = None


def software(advisories: Path | None) -> Software:
    """The packages of this installation, and what the file knows against them.

    Raises:
        DataError: the file is not there or is not what ``pip-audit --format json`` writes.
    """
    packages = installed()
    if advisories is None:
        return Software(packages, None)
    known = {(package.name, package.version) for package in packages}
    found = tuple(one for one in read_advisories(advisories) if (one.package, one.version) in known)
    written = datetime.fromtimestamp(advisories.stat().st_mtime, UTC).date()
    return Software(packages, found, written)


@cache
def installed(root: str = ROOT) -> tuple[Package, ...]:
    """The packages that ``root`` needs here, extras left out, by name."""
    found: dict[str, Package] = {}
    waiting = [root]
    while waiting:
        name = normal(waiting.pop())
        if name in found:
            continue
        try:
            here = distribution(name)
        except PackageNotFoundError:  # needed on another platform or Python only
            continue
        found[name] = Package(name, here.version, licence(here))
        waiting += [
            match[1] for line in here.requires or () if not _EXTRA.search(line) and (match := _NAME.match(line))
        ]
    return tuple(package for name, package in sorted(found.items()) if name != normal(root))


def licence(package: Distribution) -> str:
    """The licence as the metadata has it: an SPDX expression (PEP 639), else classifiers, else the first line."""
    about = dict(package.metadata.json)
    expression = str(about.get("license_expression", ""))
    classified = [str(text) for text in about.get("classifier", ())]
    classifiers = [text.rpartition(" :: ")[2] for text in classified if text.startswith(_CLASSIFIER)]
    said = str(about.get("license", "")).strip().splitlines()
    return (expression or ", ".join(classifiers) or (said[0] if said else ""))[:_LONGEST]


def normal(name: str) -> str:
    """A package's name as indexes compare it (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()


def read_advisories(path: Path) -> tuple[Advisory, ...]:
    """Every advisory in a file of ``pip-audit --format json``.

    Raises:
        DataError: as for :func:`software`.
    """
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
        return tuple(_advisories(told["dependencies"] if isinstance(told, dict) else told))
    except OSError as exc:
        finding = Finding(str(path), f"it cannot be read: {exc.strerror or exc}", "correct LANDED_ADVISORIES")
        raise DataError("The advisories cannot be read", [finding]) from exc
    except (ValueError, KeyError, TypeError, AttributeError) as exc:
        raise DataError("The advisories cannot be read", [Finding(str(path), f"{exc!r}", _REMEDY)]) from exc


def _advisories(dependencies: list[dict[str, Any]]) -> Iterator[Advisory]:
    for one in dependencies:
        for weakness in one.get("vulns", ()):
            fixed = tuple(str(version) for version in weakness.get("fix_versions", ()))
            yield Advisory(normal(one["name"]), str(one["version"]), str(weakness["id"]), fixed)
