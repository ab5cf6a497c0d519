"""Feedback items: typed on a page of their own, from choices the data and the charter offer."""

from typing import Annotated

from fastapi import APIRouter, Depends, Request
from pydantic import ValidationError
from starlette.responses import RedirectResponse, Response

from pipeline.charter import Person
from pipeline.datasets import undated
from pipeline.errors import CharterError, Finding
from pipeline.language import joined, say
from pipeline.problems.patching import apply_patch_for_problem
from pipeline.review import FeedbackItem, items_of
from pipeline.web.changes import as_value, entries
from pipeline.web.drafts import Draft, DraftChange, DraftItem, find_draft, save_draft
from pipeline.web.forms import Form, read_form
from pipeline.web.reviewing import ReviewShown, find_shown, seat_of
from pipeline.web.visitors import NotFoundError, Visitor, signed_in
from pipeline.web.wording import KINDS

router = APIRouter(include_in_schema=False)

Posted = Annotated[Form, Depends(read_form)]

#: Changes of the charter one item may carry, and items one answer may carry, on a page.
CHANGES = 3
_MOST_ITEMS = 20
_PLACES_SHOWN = 200


@router.get("/reviews/{review_id}/feedback/{place}")
def item(request: Request, review_id: str, place: str) -> Response:
    """The form of one item: a new one, or one of the draft."""
    visitor = signed_in(request)
    shown = find_shown(visitor, review_id)
    if not shown.can_sign:  # decided, or lapsed, since the form was opened: the review's page says what happened
        return RedirectResponse(f"/reviews/{shown.request.id}", 303)
    draft = _draft(visitor, shown)
    index = _index(draft, place)
    return _item_page(visitor, shown, draft.items[index] if index < len(draft.items) else DraftItem(), place, {})


@router.post("/reviews/{review_id}/feedback/{place}")
def keep_item(request: Request, review_id: str, place: str, form: Posted) -> Response:
    """Keep an item in the draft, or take it out of it."""
    visitor = signed_in(request, form)
    shown = find_shown(visitor, review_id)
    if not shown.can_sign:  # decided, or lapsed, since the form was opened: the review's page says what happened
        return RedirectResponse(f"/reviews/{shown.request.id}", 303)
    draft = _draft(visitor, shown)
    index = _index(draft, place)
    items = list(draft.items)
    if form.text("go") == "remove":
        items[index : index + 1] = []
    else:
        typed = _typed(form)
        errors = _objections(visitor, shown, draft, typed)
        if errors:
            return _item_page(visitor, shown, typed, place, errors)
        items[index : index + 1] = [typed]
    save_draft(visitor.site.ledger, visitor.user.id, shown.request.id, draft.but(items=tuple(items)))
    return RedirectResponse(f"/reviews/{shown.request.id}#feedback-items", 303)


def as_items(visitor: Visitor, shown: ReviewShown, draft: Draft) -> tuple[FeedbackItem, ...]:
    """The draft's items as they would be signed, with the next free names of the project."""
    used = {filed.item.id for filed in items_of(visitor.site.ledger, shown.request.project)}
    names = (f"F{number}" for number in range(1, 10_000) if f"F{number}" not in used)
    author = author_of(visitor, shown, draft)
    return tuple(_item(name, author, typed, shown) for name, typed in zip(names, draft.items, strict=False))


def author_of(visitor: Visitor, shown: ReviewShown, draft: Draft) -> Person:
    """Whose observation it is: the person's own where the charter names them, else the one they sign for."""
    seat = seat_of(shown.seats, draft.seat) or (shown.seats[0] if shown.seats else None)
    names = (visitor.user.id, (seat.on_behalf_of or "") if seat else "")
    found = next((person for person in map(shown.charter.person, names) if person is not None), None)
    if found is None:
        raise NotFoundError
    return found


def _item(name: str, author: Person, typed: DraftItem, shown: ReviewShown) -> FeedbackItem:
    """The typed item; ValidationError for what no item may hold."""
    column, _, value = typed.place.partition("\n")
    known = {entry.path: entry.now for entry in entries(shown.charter)}
    return FeedbackItem(
        id=name,
        author=author.id,
        role=author.role,
        kind=typed.kind,  # type: ignore[arg-type]
        slice={column: value} if column else {},
        seen=typed.seen,
        change=typed.change,
        patch={change.path: as_value(change.value, known.get(change.path)) for change in typed.changes if change.path},
        acceptance=typed.acceptance,
    )


def _objections(visitor: Visitor, shown: ReviewShown, draft: Draft, typed: DraftItem) -> dict[str, str]:
    """What is wrong with an item, by the id of its field."""
    errors: dict[str, str] = {}
    if typed.kind not in KINDS:
        errors["kind"] = say("Choose what kind of remark it is.")
    if typed.place and typed.place not in dict(_places(shown)):
        errors["place"] = say("Choose one of the places the data has.")
    if not typed.seen:
        errors["seen"] = say("Say what you saw; a sentence will do.")
    if not typed.change:
        errors["change"] = say("Say what should change.")
    if not typed.acceptance:
        errors["acceptance"] = say("Say how you will know that it helped.")
    errors |= _objections_to_changes(shown, typed)
    if errors:
        return errors
    try:
        made = _item("F1", author_of(visitor, shown, draft), typed, shown)
        if made.patch:
            apply_patch_for_problem(shown.charter, made.patch)
    except ValidationError as error:
        unfit = say("It is longer than {limit} characters, or holds characters that cannot be shown.", limit=2000)
        return {str(one["loc"][0]): unfit for one in error.errors(include_url=False)}
    except CharterError as error:
        return _refused_by_charter(error, typed)
    return {}


def _refused_by_charter(error: CharterError, typed: DraftItem) -> dict[str, str]:
    """What the charter says, beside the value it says it of."""
    told: dict[str, list[str]] = {}
    for one in error.findings:
        at = next((number for number, change in enumerate(typed.changes) if _is_about(one, change.path)), 0)
        told.setdefault(f"value-{at}", []).append(say("{found}: {remedy}", found=one.found, remedy=one.remedy))
    return {name: say("The charter cannot hold this value. {why}", why=joined(why, "; ")) for name, why in told.items()}


def _is_about(finding: Finding, path: str) -> bool:
    return f"{finding.place},".startswith(f"patch {path},")


def _objections_to_changes(shown: ReviewShown, typed: DraftItem) -> dict[str, str]:
    known = {entry.path: entry.now for entry in entries(shown.charter)}
    errors: dict[str, str] = {}
    for number, change in enumerate(typed.changes):
        if change.path not in known:
            errors[f"path-{number}"] = say("Choose an entry of the charter.")
            continue
        value = as_value(change.value, known[change.path])
        if isinstance(value, Finding):
            errors[f"value-{number}"] = value.remedy
    return errors


def _typed(form: Form) -> DraftItem:
    pairs = [(form.text(f"path-{number}"), form.text(f"value-{number}")) for number in range(CHANGES)]
    return DraftItem(
        kind=form.text("kind"),
        place=form.text("place"),
        seen=form.text("seen"),
        change=form.text("change"),
        acceptance=form.text("acceptance"),
        changes=tuple(DraftChange(path=path, value=value) for path, value in pairs if path),
    )


def _item_page(visitor: Visitor, shown: ReviewShown, typed: DraftItem, place: str, errors: dict[str, str]) -> Response:
    rows = [*typed.changes, *([DraftChange()] * CHANGES)][:CHANGES]
    return visitor.page(
        "feedback.html.j2",
        422 if errors else 200,
        shown=shown, typed=typed, place=place, errors=errors, rows=rows, kinds=KINDS, places=_places(shown),
        entries=entries(shown.charter),
    )  # fmt: skip


def _places(shown: ReviewShown) -> list[tuple[str, str]]:
    """Where something may have been seen: the slices and units of the evidence, as form value and as words."""
    evaluation = shown.pack.evidence.evaluation if shown.pack else None
    found = (*evaluation.slices, *evaluation.units) if evaluation else ()
    period = shown.charter.data.period
    words = {
        f"{one.slice}\n{one.value}": f"{one.slice.replace('_', ' ')}: {undated.shown(one.value, period)}"
        for one in found
    }
    return list(words.items())[:_PLACES_SHOWN]


def _draft(visitor: Visitor, shown: ReviewShown) -> Draft:
    found = find_draft(visitor.site.ledger, visitor.user.id, shown.request.id)
    return found[0] if found else Draft(report=shown.request.report_digest)


def _index(draft: Draft, place: str) -> int:
    """The position of an item in the draft; behind the last for a new one."""
    if place == "new" and len(draft.items) < _MOST_ITEMS:
        return len(draft.items)
    if place.isascii() and place.isdecimal() and 1 <= int(place[:4]) <= len(draft.items):
        return int(place[:4]) - 1
    raise NotFoundError
