"""The application: routers put together, and every error turned into a page without internals."""

import logging
import secrets
from collections.abc import Iterable
from typing import Any
from urllib.parse import urlsplit

from fastapi import FastAPI, Request
from starlette.exceptions import HTTPException
from starlette.responses import Response

from pipeline import __version__
from pipeline.errors import LandedError, Refused
from pipeline.language import say
from pipeline.ledger import Ledger
from pipeline.settings import Settings
from pipeline.web import (
    account,
    api,
    assets,
    decision,
    feedback,
    history,
    inbox,
    oidc,
    packs,
    people,
    project_page,
    review_page,
    signin,
    views,
)
from pipeline.web.drafts import prepare
from pipeline.web.security import LOOPBACK, Guard, plain
from pipeline.web.signin import to_sign_in
from pipeline.web.site import Site
from pipeline.web.visitors import (
    ForgedFormError,
    NotFoundError,
    SignInFirstError,
    Visitor,
    current_session,
    stranger_page,
)

LOG = logging.getLogger("pipeline.web")

#: Every router of pages.
PAGES = (inbox, review_page, decision, feedback, project_page, history, people, account, signin, oidc, packs, assets)


def create_app(settings: Settings, ledger: Ledger | None = None, *, hosts: Iterable[str] = ()) -> FastAPI:
    """The site over an installation's ledger and reports.

    Args:
        settings: of the installation.
        ledger: the record; opened from the settings if not given.
        hosts: further names the site may be called by; this machine's own and that of ``site_url`` always may.

    Raises:
        LedgerError: the ledger cannot be opened.
    """
    record = ledger or Ledger(settings.ledger, kept_open=True)
    prepare(record)
    views.prepare(record)
    app = FastAPI(
        title="Landed", version=__version__, summary="What waits for people, the evidence, and their answers.",
        openapi_url="/api/v1/openapi.json", docs_url=None, redoc_url=None, redirect_slashes=False,
    )  # fmt: skip
    secret = settings.secret.get_secret_value()
    app.state.site = Site(settings, record, secret.encode() if secret else secrets.token_bytes(32))
    for page in PAGES:
        app.include_router(page.router)
    app.include_router(api.router)
    app.include_router(api.health_router)
    _handle_errors(app)
    public = urlsplit(settings.site_url).hostname
    names = {*LOOPBACK, *hosts, *([public] if public else [])}
    app.add_middleware(Guard, hosts=names, secure=app.state.site.secure)
    return app


def _handle_errors(app: FastAPI) -> None:
    app.add_exception_handler(SignInFirstError, _sign_in_first)
    app.add_exception_handler(NotFoundError, _not_found)
    app.add_exception_handler(ForgedFormError, _forged)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(Refused, _refused)
    app.add_exception_handler(LandedError, _broken)
    api.handle_errors(app)


def _sign_in_first(request: Request, _: Exception) -> Response:
    return to_sign_in(request)


def _not_found(request: Request, _: Exception) -> Response:
    return _error_page(request, 404)


def _forged(request: Request, _: Exception) -> Response:
    return _error_page(request, 403)


def _http(request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 500
    if request.url.path.startswith("/api/"):
        return api.error_answer(request, status)
    answer = _error_page(request, status)
    if isinstance(error, HTTPException):
        answer.headers.update(error.headers or {})
    return answer


def _refused(request: Request, error: Exception) -> Response:
    """What the rules do not allow, in their own words: they name people and dates, never files."""
    findings = error.findings if isinstance(error, Refused) else ()
    if request.url.path.startswith("/api/"):
        return api.error_answer(request, 403, findings)
    return _error_page(request, 403, findings)


def _broken(request: Request, error: Exception) -> Response:
    """The record or a file of ours cannot be used: the log says which and why, the page only a number."""
    LOG.error("%s %s %s", request.state.request_id, request.method, request.url.path, exc_info=error)
    if request.url.path.startswith("/api/"):
        return api.error_answer(request, 503)
    # Plain: the page's own frame would ask the ledger who is signed in.
    text = say(
        "The record cannot be used now, and nothing of what you just did was kept. If you ask for help, name {number}.",
        number=request.state.request_id,
    )
    return plain(text, 503, request.headers)


def _error_page(request: Request, status: int, findings: tuple[Any, ...] = ()) -> Response:
    values = {"status": status, "number": request.state.request_id, "findings": findings}
    session = current_session(request, request.app.state.site.ledger)
    if session is None:
        return stranger_page(request, "error.html.j2", status, **values)
    return Visitor(request.app.state.site, session, request).page("error.html.j2", status, **values)
