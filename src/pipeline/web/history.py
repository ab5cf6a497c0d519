"""History: the ledger as a readable timeline with filters, the state of its chain, and an export."""

import csv
import io
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import groupby
from typing import Annotated
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Request
from sqlalchemy import Select, or_, select
from starlette.responses import Response, StreamingResponse

from pipeline.accounts import note_export
from pipeline.ledger import ChainStatus, verify
from pipeline.ledger.chain import HASHED
from pipeline.ledger.store import to_event
from pipeline.ledger.tables import events
from pipeline.web.forms import Form, read_form
from pipeline.web.site import Site
from pipeline.web.threads import on_few_threads
from pipeline.web.timeline import GROUPS, tell
from pipeline.web.traces import find_traces
from pipeline.web.visitors import NotFoundError, Visitor, signed_in

router = APIRouter(include_in_schema=False)

_PAGE = 60
_COLUMNS = (*HASHED, "previous", "hash")
#: A cell that begins so is taken for a formula by spreadsheets.
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


@dataclass(frozen=True)
class Filter:
    """What of the record to show. Anything unreadable counts as not given."""

    project: str = ""
    group: str = ""
    person: str = ""
    since: date | None = None
    until: date | None = None

    @property
    def query(self) -> str:
        """The filter as part of an address."""
        days = {"since": self.since, "until": self.until}
        given = {"project": self.project, "group": self.group, "person": self.person}
        given |= {name: value.isoformat() for name, value in days.items() if value}
        return urlencode({name: value for name, value in given.items() if value})


@router.get("/history")
@on_few_threads
def history(request: Request) -> Response:
    """The timeline, newest first."""
    visitor = signed_in(request)
    wanted = _filter(
        {name: request.query_params.get(name, "") for name in ("project", "group", "person", "since", "until")}
    )
    before = request.query_params.get("before", "")
    query = _query(visitor, wanted).order_by(events.c.seq.desc()).limit(_PAGE + 1)
    if before.isascii() and before.isdecimal() and len(before) < 18:
        query = query.where(events.c.seq < int(before))
    rows = visitor.site.reader.rows(query)
    traces = visitor.site.known("traces", lambda: find_traces(visitor.site.reader))
    key = ("may export", visitor.user.id, visitor.projects, wanted.project)
    told = [tell(to_event(row), visitor.site.settings, traces, visitor.language) for row in rows[:_PAGE]]
    return visitor.page(
        "history.html.j2",
        wanted=wanted,
        days=[(day, list(part)) for day, part in groupby(told, lambda one: one.event.at[:10])],
        older=told[-1].event.seq if len(rows) > _PAGE else None,
        groups={name: words for name, (words, _) in GROUPS.items()},
        projects=visitor.projects,
        people=_people(visitor),
        chain=chain_status(visitor.site),
        may_export=visitor.site.known(key, lambda: _may_export(visitor, wanted)),
    )


@router.post("/history/export")
def export(request: Request, form: Annotated[Form, Depends(read_form)]) -> Response:
    """The filtered record as a file, oldest first; that it was taken is an event itself."""
    visitor = signed_in(request, form)
    wanted = _filter({name: form.text(name) for name in ("project", "group", "person", "since", "until")})
    if not _may_export(visitor, wanted):
        raise NotFoundError
    as_table = form.text("format") == "csv"
    note_export(visitor.site.ledger, visitor.user, wanted.project, f"history as {'CSV' if as_table else 'JSON lines'}")
    rows = _rows(visitor.site, _query(visitor, wanted))
    name = f"landed-history.{'csv' if as_table else 'jsonl'}"
    headers = {"content-disposition": f'attachment; filename="{name}"'}
    if as_table:
        return StreamingResponse(_table(rows), media_type="text/csv; charset=utf-8", headers=headers)
    return StreamingResponse(_lines(rows), media_type="application/x-ndjson", headers=headers)


def chain_status(site: Site) -> ChainStatus:
    """Whether the whole record is as it was written."""
    return site.known("chain", lambda: verify(site.ledger))


def _may_export(visitor: Visitor, wanted: Filter) -> bool:
    names = [wanted.project] if wanted.project else list(visitor.projects)
    return bool(names) and all(visitor.may("export", name) for name in names)


def _filter(given: dict[str, str]) -> Filter:
    return Filter(
        project=given["project"][:100],
        group=given["group"] if given["group"] in GROUPS else "",
        person=given["person"][:100],
        since=_day(given["since"]),
        until=_day(given["until"]),
    )


def _day(text: str) -> date | None:
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None


def _query(visitor: Visitor, wanted: Filter) -> Select[tuple[object, ...]]:
    """The events this person may see that pass the filter; what belongs to no project is for those who see all."""
    sees_all = visitor.user.admin or visitor.user.auditor
    visible = [*visitor.projects, *([""] if sees_all else [])]
    query = select(events).where(events.c.project.in_(visible))
    if wanted.project:
        query = query.where(events.c.project == wanted.project)
    if wanted.group:
        query = query.where(
            or_(*(events.c.kind.startswith(start, autoescape=True) for start in GROUPS[wanted.group][1]))
        )
    if wanted.person:
        query = query.where(events.c.actor == wanted.person)
    if wanted.since:
        query = query.where(events.c.at >= wanted.since.isoformat())
    if wanted.until:
        query = query.where(events.c.at < _after(wanted.until))
    return query


def _after(day: date) -> str:
    return (day + timedelta(days=1)).isoformat() if day < date.max else "9999-12-31T24"


def _people(visitor: Visitor) -> Sequence[str]:
    query = select(events.c.actor).where(events.c.project.in_(visitor.projects)).distinct().order_by(events.c.actor)
    names = visitor.site.known(("actors", visitor.projects), lambda: visitor.site.reader.rows(query))
    return [str(row["actor"]) for row in names if row["actor"]]


def _rows(site: Site, query: Select[tuple[object, ...]]) -> Iterator[dict[str, object]]:
    """Page by page, so that a record of any length fits in memory."""
    after = 0
    while page := site.ledger.rows(query.where(events.c.seq > after).order_by(events.c.seq).limit(1000)):
        yield from page
        after = page[-1]["seq"]


def _lines(rows: Iterator[dict[str, object]]) -> Iterator[str]:
    """Events as they are stored, one a line, with what their hashes are taken over."""
    for row in rows:
        yield json.dumps({name: row[name] for name in _COLUMNS}, ensure_ascii=False) + "\n"


def _table(rows: Iterator[dict[str, object]]) -> Iterator[str]:
    yield _csv(_COLUMNS)
    for row in rows:
        yield _csv([_cell(row[name]) for name in _COLUMNS])


def _cell(value: object) -> object:
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value


def _csv(cells: Sequence[object]) -> str:
    line = io.StringIO()
    csv.writer(line, lineterminator="\n").writerow(cells)
    return line.getvalue()
