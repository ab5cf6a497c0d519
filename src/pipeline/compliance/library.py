"""Controls as data: what each one asks, where that comes from, who vouches for it, when, and how much it weighs.

Control files are YAML: those that ship with Landed (``configs/controls``) and those of the folder ``LANDED_CONTROLS``.
They are read like a charter: everything that is wrong is told at once, with line and remedy. A control says what to
look at, never that a law is kept.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Literal

from pydantic import Field, ValidationError
from pydantic_core import ErrorDetails

from pipeline.charter import Charter
from pipeline.charter.advice import Advice, dotted
from pipeline.charter.advice import Path as Place
from pipeline.charter.anatomy import example_line, fields, nearest
from pipeline.charter.document import MAX_BYTES, UnreadableError, parse
from pipeline.charter.words import Part, Role, Sentence, Slug, Text
from pipeline.errors import CharterError, Finding
from pipeline.settings import Settings
from pipeline.verdicts import Severity

Kind = Literal["automated", "attested", "document"]
Moment = Literal["before_first_iteration", "each_iteration", "before_next_stage", "before_last_stage"]

#: Beside the code in a checkout, inside the package when installed.
_PLACES = (Path(__file__).parents[1] / "configs" / "controls", Path(__file__).parents[3] / "configs" / "controls")


class Control(Part):
    """One control."""

    id: Slug = Field(description="what charters and reports call it", examples=["leakage"])
    text: Sentence = Field(description="what must hold, in plain words", examples=["No feature sees the future."])
    source: tuple[Text, ...] = Field(
        min_length=1, description="where it comes from", examples=[["NIST AI RMF MEASURE 2.3", "EU AI Act Art. 10"]]
    )
    kind: Kind = Field(
        description="`automated`: a check of Landed's; `attested`: a role says so; `document`: a role names a file",
        examples=["attested"],
    )
    when: Moment = Field(description="when it must hold", examples=["each_iteration"])
    severity: Severity = Field(
        description="`block`: without it nothing advances; `warn`: it is shown", examples=["block"]
    )
    role: Role = Field(default="compliance", description="who attests to it, and may waive it", examples=["compliance"])
    renew_days: int | None = Field(
        default=None, ge=1, le=3660, description="days an attestation holds; for ever if left out", examples=[365]
    )


class ControlSet(Part):
    """One file: a set by name, with controls of its own and, by id, those of other files."""

    set: Slug = Field(description="the name charters use", examples=["baseline"])
    title: Text = Field(description="what people call the set", examples=["What every project should hold"])
    includes: tuple[Slug, ...] = Field(
        default=(), description="controls of other files that belong to it too", examples=[["leakage"]]
    )
    controls: tuple[Control, ...] = Field(default=(), description="controls that are written down here")


@dataclass(frozen=True)
class Library:
    """All controls that can be asked for.

    Attributes:
        controls: by id.
        sets: the ids of each set, in order.
        titles: of the sets.
    """

    controls: Mapping[str, Control]
    sets: Mapping[str, tuple[str, ...]]
    titles: Mapping[str, str] = field(default_factory=dict)

    def asked(self, charter: Charter) -> tuple[Control, ...]:
        """The controls of a charter, those of its sets first, each once; unknown names are left out."""
        named = [one for name in charter.compliance.sets for one in self.sets.get(name, ())]
        return tuple(self.controls[one] for one in dict.fromkeys([*named, *charter.controls]) if one in self.controls)


def library(automated: tuple[str, ...]) -> Library:
    """The controls of the shipped files and of the folder ``LANDED_CONTROLS``.

    Args:
        automated: the checks there are; an automated control must be one of them.

    Raises:
        CharterError: with everything that is wrong in any of the files.
    """
    return _library(_files(), automated)


def read_library(paths: tuple[Path, ...], automated: tuple[str, ...]) -> Library:
    """The controls of these files; see :func:`library`."""
    read = [_read(path) for path in paths]
    faults = [finding for _, _, findings in read for finding in findings]
    found = [(made, locate) for made, locate, _ in read if made is not None]
    faults += _across(found, automated)
    if faults:
        count = "one thing" if len(faults) == 1 else f"{len(faults)} things"
        raise CharterError(f"The controls are refused: {count} to put right", faults)
    controls = {control.id: control for made, _ in found for control in made.controls}
    sets = {
        made.set: tuple(dict.fromkeys([*made.includes, *(control.id for control in made.controls)]))
        for made, _ in found
    }
    return Library(controls, sets, {made.set: made.title for made, _ in found})


def _files() -> tuple[tuple[Path, int], ...]:
    """Every control file with the time of its last change, so that an edited one is read anew."""
    shipped = next((place for place in _PLACES if place.is_dir()), None)
    folders = [folder for folder in (shipped, Settings().controls) if folder is not None]
    for folder in folders:
        if not folder.is_dir():
            finding = Finding(f"LANDED_CONTROLS={folder}", "there is no such folder", "correct the path, or unset it")
            raise CharterError("The controls cannot be read", [finding])
    return tuple((path, path.stat().st_mtime_ns) for folder in folders for path in sorted(folder.glob("*.yaml")))


@cache
def _library(files: tuple[tuple[Path, int], ...], automated: tuple[str, ...]) -> Library:
    return read_library(tuple(path for path, _ in files), automated)


_Located = Callable[[Place], str]


def _read(path: Path) -> tuple[ControlSet | None, _Located, list[Finding]]:
    """A file's set, where its paths stand, and what is wrong with it by itself."""
    try:
        with path.open("rb") as file:
            document = parse(file.read(MAX_BYTES + 1))
    except OSError as exc:
        return None, str, [Finding(str(path), f"it cannot be read ({exc.strerror})", "correct its permissions")]
    except UnreadableError as exc:
        place = f"{path}:{exc.line}" if exc.line else str(path)
        return None, str, [Finding(place, exc.found, exc.remedy)]

    def locate(place: Place) -> str:
        return f"{path}:{document.line(place)} {dotted(place, document.data)}".rstrip()

    located = [Finding(f"{path}:{line} {dotted(one.path, document.data)}", one.found, one.remedy)
               for line, one in document.advice]  # fmt: skip
    if not isinstance(document.data, dict):
        remedy = "write `set:`, `title:` and `controls:`, as in configs/controls/baseline.yaml"
        return None, locate, located or [Finding(f"{path}:1", "no section of keys and values", remedy)]
    try:
        made = ControlSet.model_validate_json(json.dumps(document.data))
    except ValidationError as error:
        advice = {one.path: one for one in map(_advice, error.errors(include_url=False))}
        return None, locate, [*located, *(Finding(locate(one.path), one.found, one.remedy) for one in advice.values())]
    return (None if located else made), locate, located


def _advice(error: ErrorDetails) -> Advice:
    """What is wrong at a place of a control file, and what to write there."""
    path = error["loc"]
    part: type[Part] = Control if path[:1] == ("controls",) and len(path) > 2 else ControlSet
    key = str(path[2] if part is Control else path[0]) if path else ""
    known = fields(part)
    if key not in known:
        near = nearest(key, tuple(known))
        meant = f"did you mean `{near}`? " if near else ""
        return Advice(path, f"the unknown key `{key}`", f"{meant}write one of: {', '.join(known)}")
    found = "the key is missing" if error["type"] == "missing" else f"{error['input']!r:.80}"
    remedy = f"write `{example_line(key, known[key])}` ({known[key].description})"
    if error["type"] == "literal_error":
        remedy = f"write one of: {error['ctx']['expected']}"
    return Advice(path, found, remedy)


def _across(found: list[tuple[ControlSet, _Located]], automated: tuple[str, ...]) -> list[Finding]:
    """What is wrong between files: names twice, includes of nothing, checks nobody knows."""
    known = {control.id for made, _ in found for control in made.controls}
    return [
        Finding(locate(one.path), one.found, one.remedy)
        for seen in [_Seen()]
        for made, locate in found
        for one in _faults(made, known, automated, seen)
    ]


@dataclass
class _Seen:
    ids: set[str] = field(default_factory=set)
    sets: set[str] = field(default_factory=set)


def _faults(made: ControlSet, known: set[str], automated: tuple[str, ...], seen: _Seen) -> Iterator[Advice]:
    if made.set in seen.sets:
        yield Advice(("set",), f"the set {made.set!r} a second time", "give each set one file")
    seen.sets.add(made.set)
    for place, name in enumerate(made.includes):
        if name not in known:
            near = nearest(name, tuple(sorted(known)))
            remedy = f"write {near!r}" if near else "write a control that stands in one of the files"
            yield Advice(("includes", place), f"no control is called {name!r}", remedy)
    for place, control in enumerate(made.controls):
        if control.id in seen.ids:
            remedy = "give it another id, or include the one there is"
            yield Advice(("controls", place, "id"), f"the control {control.id!r} a second time", remedy)
        seen.ids.add(control.id)
        if control.kind == "automated" and control.id not in automated:
            remedy = f"write one of {', '.join(automated)}, or let a role attest to it"
            yield Advice(("controls", place, "id"), f"no check is called {control.id!r}", remedy)
        if control.kind == "automated" and control.renew_days is not None:
            remedy = "leave it out: an automated check is made anew each time"
            yield Advice(("controls", place, "renew_days"), f"{control.renew_days} for a check", remedy)
