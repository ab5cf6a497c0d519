"""Evidence packs: found by the report's hash through the ledger, checked before they are shown, served in a sandbox."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from fastapi import APIRouter, Request
from markupsafe import Markup
from sqlalchemy import select
from starlette.exceptions import HTTPException
from starlette.responses import Response

from pipeline.errors import DataError, Finding
from pipeline.ledger import Reader
from pipeline.ledger.tables import iterations
from pipeline.reporting.evidence import Evidence
from pipeline.reporting.manifest import manifest
from pipeline.reporting.pack import MANIFEST, read, verify
from pipeline.reporting.page import PAGES, drawings, render_sections
from pipeline.web.charts import attributes_for_styles
from pipeline.web.site import Site
from pipeline.web.visitors import NotFoundError, signed_in

router = APIRouter(include_in_schema=False)

#: A report is a document of its own without an origin: it may style itself, and reach nothing.
_SANDBOX = (
    "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:; font-src data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
#: The drift report draws itself with a script; without an origin it sees no cookie and no page of ours.
_SANDBOX_WITH_SCRIPT = _SANDBOX.replace("sandbox;", "sandbox allow-scripts;").replace(
    "style-src", "script-src 'unsafe-inline' 'unsafe-eval'; style-src"
)


@dataclass(frozen=True)
class Pack:
    """An evidence pack that was checked against the hash the ledger holds.

    Attributes:
        evidence: what it shows.
        manifest: the parts under its hash.
        digest: the hash.
        folder: where it lies.
        files: SHA-256 of its files by name.
    """

    evidence: Evidence
    manifest: dict[str, Any]
    digest: str
    folder: Path
    files: Mapping[str, str]


def find_pack(site: Site, digest: str) -> Pack:
    """The pack of a report.

    Raises:
        NotFoundError: the ledger knows no such report.
        DataError: the files are missing, or are not those the ledger's hash stands for.
    """
    return site.lasting(("pack", digest), lambda: _read(site.reader, digest))


def sections(site: Site, pack: Pack, language: str) -> Markup:
    """The pack's detailed part for a page of this site."""
    return site.lasting(("sections", pack.digest, language), lambda: _sections(site, pack, language))


def charts(site: Site, pack: Pack, language: str) -> dict[str, Markup]:
    """The pack's charts for a page of this site."""
    return site.lasting(("charts", pack.digest, language), lambda: _charts(pack, language))


def project_of_report(reader: Reader, digest: str) -> str | None:
    """The project a report belongs to, or None for a hash the ledger does not know."""
    rows = reader.rows(select(iterations.c.project).where(iterations.c.report_digest == digest).limit(1))
    return str(rows[0]["project"]) if rows else None


@router.get("/reports/{digest}/{name}")
def report_file(request: Request, digest: str, name: str) -> Response:
    """A file of a pack as it was written, in a sandbox; names that the pack's manifest lacks do not exist."""
    visitor = signed_in(request)
    project = project_of_report(visitor.site.reader, digest)
    if project is None:
        raise NotFoundError
    visitor.require("view", project)
    pack = find_pack(visitor.site, digest)
    if name in PAGES.values() and name not in pack.files:
        name = PAGES["en"]  # packs of earlier versions speak English only
    if name not in pack.files or not name.endswith(".html"):
        raise NotFoundError
    content = (pack.folder / name).read_bytes()
    if hashlib.sha256(content).hexdigest() != pack.files[name]:
        raise HTTPException(410, "This report was changed or replaced since it was signed for.")
    drift = pack.evidence.drift
    policy = _SANDBOX_WITH_SCRIPT if drift is not None and name == drift.report_file else _SANDBOX
    headers = {"content-security-policy": policy, "cache-control": "no-store"}
    return Response(content, media_type="text/html; charset=utf-8", headers=headers)


def _read(reader: Reader, digest: str) -> Pack:
    rows = reader.rows(select(iterations.c.result).where(iterations.c.report_digest == digest).limit(1))
    if not rows or rows[0]["result"] is None:
        raise NotFoundError
    folder = Path(json.loads(rows[0]["result"])["report"]).parent
    verify(folder, digest)
    evidence = read(folder)
    files = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))["files"]
    if any(Path(name).name != name for name in files):
        finding = Finding(str(folder), "its manifest names files outside of it", "run the iteration's report again")
        raise DataError("The evidence pack cannot be shown", [finding])
    return Pack(evidence, manifest(evidence), digest, folder, files)


def _charts(pack: Pack, language: str) -> dict[str, Markup]:
    # The charts escape what they are given; only where their looks are written is changed here.
    drawn = drawings(pack.evidence, language)
    return {name: Markup(attributes_for_styles(svg)) for name, svg in drawn.items()}  # noqa: S704


def _sections(site: Site, pack: Pack, language: str) -> Markup:
    drift = pack.evidence.drift
    link = f"/reports/{pack.digest}/{drift.report_file}" if drift and drift.report_file in pack.files else ""
    # Files that lie beside the report's own page do not lie beside this one.
    elsewhere = tuple(one for one in pack.evidence.links if one.target not in pack.files)
    shown = replace(pack.evidence, links=elsewhere)
    return render_sections(shown, pack.manifest, charts(site, pack, language), link, language)
