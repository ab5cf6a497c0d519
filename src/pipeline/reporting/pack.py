"""Writing an evidence pack so that it is either whole or not there, and finding out whether it was changed since."""

import hashlib
import json
import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from pipeline.errors import DataError, Finding
from pipeline.language import legend, revived
from pipeline.reporting import companions
from pipeline.reporting.evidence import Evidence
from pipeline.reporting.manifest import FORMAT, canonical, manifest, manifest_of, plain, report_digest
from pipeline.reporting.page import PAGES, render

PAGE, TWIN, MANIFEST = PAGES["en"], "evidence.json", "manifest.json"

_REWRITE = "take the pack from its archive, or run the iteration's report again and ask for a new review"


@dataclass(frozen=True)
class WrittenReport:
    """Where a pack stands, and the hash that a decision binds to.

    Attributes:
        html, json, manifest: the page in English, its twin, and the parts; the page's other languages lie beside it.
        digest: the report's hash, printed in all of them.
        files: SHA-256 of every other file of the pack, by name; the pages' among them.
    """

    html: Path
    json: Path
    manifest: Path
    digest: str
    files: Mapping[str, str]


def write(evidence: Evidence, directory: Path, attachments: Sequence[Path] = ()) -> WrittenReport:
    """Write the page in each language, its documents, twin and manifest, and copy the attachments beside them.

    The twin's ``evidence`` holds sentences in English; ``messages`` beside it says, for each, how to say it in another
    language (see :func:`pipeline.language.legend`).

    Each file is written under another name and renamed; the manifest comes last, so a pack that was interrupted has
    none and :func:`verify` says so. Writing the same evidence again gives the same bytes.

    Args:
        evidence: what the pack shows.
        directory: made if it is not there.
        attachments: files to lie beside the page, such as the drift report; copied unless they lie there already.

    Raises:
        DataError: an attachment is missing or has a name of the pack's own, or the directory cannot be written.
    """
    sealed = manifest(evidence)
    digest = report_digest(sealed)
    twin = {"digest": digest, "evidence": plain(evidence), "messages": legend(evidence)}
    texts = {page: render(evidence, sealed, digest, language) for language, page in PAGES.items()}
    texts |= companions.files(evidence, digest)
    texts[TWIN] = canonical(twin) + "\n"
    _refuse_attachments(attachments)
    try:
        directory.mkdir(parents=True, exist_ok=True)
        (directory / MANIFEST).unlink(missing_ok=True)
        for source in attachments:
            _copy(source, directory / source.name)
        for name, text in texts.items():
            _replace(directory / name, text)
        files = {name: _file_digest(directory / name) for name in sorted([*texts, *(a.name for a in attachments)])}
        _replace(directory / MANIFEST, canonical({**sealed, "digest": digest, "files": files}) + "\n")
    except OSError as error:
        raise DataError(
            "The evidence pack could not be written.",
            [Finding(str(directory), error.strerror or str(error), "make room or give write access, then run again")],
        ) from error
    return WrittenReport(directory / PAGE, directory / TWIN, directory / MANIFEST, digest, files)


def read(directory: Path) -> Evidence:
    """The evidence of a pack, read back from its twin; its sentences can be shown in every language again.

    Raises:
        DataError: the twin is missing, unreadable or of another layout.
    """
    try:
        twin = _parsed(directory / TWIN)
        written: Evidence = TypeAdapter(Evidence).validate_json(json.dumps(twin["evidence"]))
        evidence: Evidence = revived(written, twin.get("messages", {}))
    except (KeyError, TypeError, AttributeError, ValidationError) as error:
        raise _broken(directory / TWIN, "does not hold an evidence this version reads") from error
    return evidence


def verify(directory: Path, digest: str | None = None) -> str:
    """Check that a pack is whole and says what it said when it was written; returns its hash.

    Recomputes the hash from ``evidence.json``, compares it with the manifest, with the page and, if given, with the
    hash the ledger recorded, and compares every file's own hash. Somebody who rewrites all files consistently is found
    by ``digest`` only, which is why sign-offs keep it.

    Args:
        directory: the pack's.
        digest: the hash the review was asked for.

    Raises:
        DataError: names each file that is missing, unreadable or changed, all of them at once.
    """
    recorded, twin = _parsed(directory / MANIFEST), _parsed(directory / TWIN)
    try:
        sealed = manifest_of(twin["evidence"])
        computed = report_digest(sealed)
        findings = _differences(directory, recorded, twin["digest"], sealed, computed)
    except (KeyError, TypeError, AttributeError) as error:
        raise _broken(directory / TWIN, f"lacks parts of the layout {FORMAT}") from error
    if digest is not None and digest != computed:
        findings.append(_changed(directory / TWIN, f"hashes to {computed}, while the review was asked for {digest}"))
    if findings:
        raise DataError("The evidence pack was changed after it was written.", findings)
    return computed


def _differences(
    directory: Path, recorded: dict[str, Any], printed: str, sealed: dict[str, Any], computed: str
) -> list[Finding]:
    findings = []
    if printed != computed:
        findings.append(_changed(directory / TWIN, f"prints the hash {printed} and holds figures of {computed}"))
    parts = [part for part, value in sealed["parts"].items() if recorded["parts"].get(part) != value]
    if parts:
        findings.append(_changed(directory / TWIN, f"differs from {MANIFEST} in: {', '.join(parts)}"))
    sealed_as_recorded = {key: value for key, value in recorded.items() if key not in {"digest", "files"}}
    if recorded["digest"] != report_digest(sealed_as_recorded):
        findings.append(_changed(directory / MANIFEST, "its digest is not the hash of its own parts"))
    for name, expected in recorded["files"].items():
        path = directory / Path(name).name
        if not path.is_file():
            findings.append(Finding(str(path), "is missing", _REWRITE))
        elif _file_digest(path) != expected:
            findings.append(_changed(path, f"is not the file {MANIFEST} names"))
    for name in [name for name in PAGES.values() if name == PAGE or name in recorded["files"]]:
        page = directory / name
        if name not in recorded["files"] or (page.is_file() and computed not in page.read_text(encoding="utf-8")):
            findings.append(_changed(page, f"does not print the hash {computed}"))
    return findings


def _parsed(path: Path) -> dict[str, Any]:
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise _broken(path, "is missing: the pack was never finished, or is another directory") from error
    except (OSError, ValueError) as error:
        raise _broken(path, f"cannot be read: {error}") from error
    if not isinstance(value, dict):
        raise _broken(path, "is not a JSON object")
    return value


def _broken(path: Path, found: str) -> DataError:
    return DataError("The evidence pack cannot be read.", [Finding(str(path), found, _REWRITE)])


def _changed(path: Path, found: str) -> Finding:
    return Finding(str(path), found, _REWRITE)


def _refuse_attachments(attachments: Sequence[Path]) -> None:
    findings = [
        Finding(str(path), "is not a file", "write it before the pack, or leave it out")
        for path in attachments
        if not path.is_file()
    ]
    findings += [
        Finding(str(path), "has the name of one of the pack's own files", "give it another name")
        for path in attachments
        if path.name in {*PAGES.values(), TWIN, MANIFEST}
    ]
    if findings:
        raise DataError("The evidence pack's attachments are not usable.", findings)


def _copy(source: Path, target: Path) -> None:
    if target.exists() and source.samefile(target):
        return
    shutil.copyfile(source, _beside(target))
    _beside(target).replace(target)


def _replace(target: Path, text: str) -> None:
    """Write all of it, force it to the disk, then rename: a crash leaves the old file or the new one."""
    with _beside(target).open("w", encoding="utf-8", newline="\n") as stream:
        stream.write(text)
        stream.flush()
        os.fsync(stream.fileno())
    _beside(target).replace(target)


def _beside(target: Path) -> Path:
    return target.with_name(f".{target.name}.tmp")


def _file_digest(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
