"""The JSON API for programs, such as the command line on another machine. Bearer tokens only; cookies count nothing."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, FastAPI, Query, Request
from fastapi import Path as InPath
from fastapi.exceptions import RequestValidationError
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from sqlalchemy import select
from starlette.responses import JSONResponse, Response

from pipeline.accounts import Bearer, bearer_of, may, note_use, projects_of
from pipeline.errors import Finding, LedgerError, Refused
from pipeline.ledger import all_iterations
from pipeline.ledger.store import to_event
from pipeline.ledger.tables import events, reviews
from pipeline.review import charter_of, iteration_of, open_reviews, show_review, sign
from pipeline.review.listing import ReviewView
from pipeline.web import messages as m
from pipeline.web.site import Site, site_of

_SCHEME = HTTPBearer(auto_error=False, description="an API token, made on the site under My account")
_ERRORS: dict[int | str, dict[str, Any]] = {
    status: {"model": m.Problem, "description": text}
    for status, text in (
        (401, "no token, or one that does not count"),
        (404, "there is none, or it is not yours to see"),
        (422, "the request says something it may not"),
        (503, "the record cannot be used now"),
    )
}
router = APIRouter(prefix="/api/v1", responses=_ERRORS)
health_router = APIRouter(include_in_schema=False)

_TITLES = {
    400: "The request cannot be read", 401: "Give a token that counts", 403: "This is not allowed",
    404: "There is none, or it is not yours to see", 405: "This address does not take that method",
    409: "The rules do not allow it", 413: "The request is too large", 422: "The request says something it may not",
    503: "The record cannot be used now",
}  # fmt: skip

#: A name in an address: short, and nothing a store could stumble over.
Name = Annotated[str, InPath(min_length=1, max_length=200, pattern=r"^[a-z0-9][a-z0-9_.-]*$")]


class NoTokenError(Exception):
    """The request came without a token that counts."""


class NoSuchError(Exception):
    """There is none, or it is not theirs to see."""


def bearer(request: Request, given: Annotated[HTTPAuthorizationCredentials | None, Depends(_SCHEME)]) -> Bearer:
    """Whose token the request carries.

    Raises:
        NoTokenError: none that counts.
    """
    ledger = site_of(request).ledger
    found = bearer_of(ledger, given.credentials) if given else None
    if found is None:
        raise NoTokenError
    note_use(ledger, found.token)
    return found


Caller = Annotated[Bearer, Depends(bearer)]


@router.get("/me")
def me(caller: Caller) -> m.Me:
    """Whose token this is, and what it may do."""
    user, token = caller.user, caller.token
    return m.Me(
        id=user.id, name=user.name, admin=user.admin, auditor=user.auditor, token=token.name,
        read_only=token.read_only, expires_at=token.expires_at,
    )  # fmt: skip


@router.get("/projects")
def projects(request: Request, caller: Caller) -> list[m.Project]:
    """The projects you may view."""
    ledger = site_of(request).ledger
    return [m.project(all_iterations(ledger, name)) for name in projects_of(ledger, caller.user)]


@router.get("/projects/{project}")
def project(request: Request, caller: Caller, project: Name) -> m.ProjectInFull:
    """One project: its charter and its iterations."""
    ledger = _allowed(request, caller, project).ledger
    return m.project_in_full(all_iterations(ledger, project))


@router.get("/reviews")
def list_reviews(
    request: Request,
    caller: Caller,
    project: Annotated[str | None, Query(max_length=200, description="only this project's")] = None,
) -> list[m.Review]:
    """The reviews that wait for answers, the one due first at the top."""
    site = site_of(request)
    mine = projects_of(site.ledger, caller.user)
    views = open_reviews(site.ledger, project if project in mine else None)
    return [
        m.review(view) for view in views if view.request.project in mine and project in {None, view.request.project}
    ]


@router.get("/reviews/{review}")
def one_review(request: Request, caller: Caller, review: Name) -> m.ReviewInFull:
    """One review: the figures, who signed, who is missing, and the hash to sign."""
    return _in_full(site_of(request), _view(request, caller, review))


@router.post(
    "/reviews/{review}/sign",
    responses={400: {"model": m.Problem, "description": "the body cannot be read"},
               403: {"model": m.Problem, "description": "this token may only look"},
               409: {"model": m.Problem, "description": "the rules of signing do not allow it"}},
)  # fmt: skip
def put(request: Request, caller: Caller, review: Name, answer: m.Answer) -> m.Signed:
    """Sign a decision on the report you read; the last signature that is needed sets it going."""
    site = site_of(request)
    view = _view(request, caller, review)
    if caller.token.read_only:
        raise Refused("This token may only look", [Finding("token", caller.token.name, "make one that may sign")])
    try:
        outcome = sign(
            site.ledger, view.request.id, caller.user.id, answer.decision, answer.comment, answer.report,
            answer.feedback, on_behalf_of=answer.on_behalf_of,
        )  # fmt: skip
    except Refused as error:
        return error_answer(request, 409, error.findings)  # type: ignore[return-value]
    return m.Signed(
        review=outcome.review.id, decision=outcome.decision, waiting=list(outcome.waiting),
        signoff=m.signoff(outcome.signoff),
    )  # fmt: skip


@router.get("/history")
def history(
    request: Request,
    caller: Caller,
    project: Annotated[str | None, Query(max_length=200, description="only this project's")] = None,
    after: Annotated[int, Query(ge=0, lt=2**53, description="only events after this number")] = 0,
    limit: Annotated[int, Query(ge=1, le=500, description="how many at most")] = 100,
) -> list[m.EventShown]:
    """Events in the order they happened."""
    site = site_of(request)
    mine = projects_of(site.ledger, caller.user)
    if project is not None and project not in mine:
        raise NoSuchError
    sees_all = caller.user.admin or caller.user.auditor
    wanted = [project] if project is not None else [*mine, *([""] if sees_all else [])]
    query = select(events).where(events.c.project.in_(wanted), events.c.seq > after).order_by(events.c.seq)
    return [m.event(to_event(row)) for row in site.ledger.rows(query.limit(limit))]


@health_router.get("/health")
def health(request: Request) -> Response:
    """Whether the site can answer: for supervisors, without a word on what it holds."""
    try:
        site_of(request).ledger.rows(select(reviews.c.id).limit(1))
    except LedgerError:
        return JSONResponse({"status": "no ledger"}, 503)
    return JSONResponse({"status": "ok"})


def error_answer(request: Request, status: int, findings: tuple[Finding, ...] = ()) -> Response:
    """An error as every answer of the API words it."""
    problem = m.Problem(
        title=_TITLES.get(status, "The request failed"),
        findings=[m.Shown(place=one.place, found=one.found, remedy=one.remedy) for one in findings],
        request_id=request.state.request_id,
    )
    headers = {"www-authenticate": "Bearer"} if status == 401 else {}
    return JSONResponse(problem.model_dump(), status, headers)


def handle_errors(app: FastAPI) -> None:
    """Let the API's own errors be answered in its own words."""
    app.add_exception_handler(NoTokenError, lambda request, _: error_answer(request, 401))
    app.add_exception_handler(NoSuchError, lambda request, _: error_answer(request, 404))
    app.add_exception_handler(RequestValidationError, _invalid)


def _invalid(request: Request, error: Exception) -> Response:
    told = error.errors() if isinstance(error, RequestValidationError) else []
    findings = [
        Finding(".".join(str(step) for step in one["loc"]), one["msg"], "see the OpenAPI document") for one in told
    ]
    return error_answer(request, 422, tuple(findings[:50]))


def _allowed(request: Request, caller: Bearer, project: str) -> Site:
    site = site_of(request)
    if not may(site.ledger, caller.user, "view", project):
        raise NoSuchError
    if not all_iterations(site.ledger, project):
        raise NoSuchError
    return site


def _view(request: Request, caller: Bearer, review: str) -> ReviewView:
    site = site_of(request)
    try:
        view = show_review(site.ledger, review)
    except Refused as error:
        raise NoSuchError from error
    if not may(site.ledger, caller.user, "view", view.request.project):
        raise NoSuchError
    return view


def _in_full(site: Site, view: ReviewView) -> m.ReviewInFull:
    record = iteration_of(site.ledger, view.request)
    return m.review_in_full(view, record, charter_of(record))
