"""Coming in and going out: password, invitation link, a trusted proxy's word; and the language of strangers' pages."""

from typing import Annotated
from urllib.parse import quote

from fastapi import APIRouter, Depends, Request
from starlette.responses import RedirectResponse, Response

from pipeline.accounts import NewSession, TryLater, accept, any_account, begin_session, end_session, invited, sign_in
from pipeline.errors import Refused
from pipeline.web.forms import Form, read_form
from pipeline.web.security import local_address
from pipeline.web.site import Site, site_of
from pipeline.web.visitors import (
    NotFoundError,
    address_of,
    check_stranger,
    cookie_name,
    current_session,
    give_cookie,
    proxy_user,
    signed_in,
    stranger_page,
    take_cookie,
)

router = APIRouter(include_in_schema=False)

Posted = Annotated[Form, Depends(read_form)]


@router.get("/sign-in")
def ask(request: Request) -> Response:
    """Ask who it is; whom a trusted proxy names comes in at once."""
    site, target = site_of(request), local_address(request.query_params.get("next", "/"))
    if current_session(request, site.ledger) is not None:
        return RedirectResponse(target, 303)
    named = proxy_user(request)
    if named is not None:
        return enter(site, begin_session(site.ledger, named, address=address_of(request), method="proxy"), target)
    return _ask(request, target)


@router.post("/sign-in")
def come_in(request: Request, form: Posted) -> Response:
    """Let a person in; the same words whatever was wrong."""
    site, target = site_of(request), local_address(form.text("next"))
    check_stranger(request, form)
    name = form.text("name")
    try:
        new = sign_in(site.ledger, name, form.fields.get("password", [""])[-1], address_of(request))
    except TryLater as error:
        answer = _ask(request, target, name=name, status=429, findings=error.findings)
        answer.headers["retry-after"] = str(error.after)
        return answer
    except Refused as error:
        return _ask(request, target, name=name, status=401, findings=error.findings)
    return enter(site, new, target)


@router.post("/sign-out")
def go_out(request: Request, form: Posted) -> Response:
    """End the session."""
    visitor = signed_in(request, form)
    end_session(visitor.site.ledger, request.cookies[cookie_name(visitor.site)])
    answer = RedirectResponse("/sign-in", 303)
    take_cookie(visitor.site, answer, cookie_name(visitor.site))
    answer.headers["clear-site-data"] = '"cache", "storage"'
    return answer


@router.get("/invitation/{secret}")
def invitation(request: Request, secret: str) -> Response:
    """Where a one-time link leads: choose a password."""
    user = invited(site_of(request).ledger, secret)
    if user is None:
        return stranger_page(request, "invitation.html.j2", 404, invited=None, secret="", findings=())
    return stranger_page(request, "invitation.html.j2", invited=user, secret=secret, findings=())


@router.post("/invitation/{secret}")
def take_up(request: Request, secret: str, form: Posted) -> Response:
    """Set the password the link allows to set, once, and come in."""
    site = site_of(request)
    check_stranger(request, form)
    user = invited(site.ledger, secret)
    if user is None:
        raise NotFoundError
    password = form.fields.get("password", [""])[-1]
    if password != form.fields.get("again", [""])[-1]:
        return stranger_page(request, "invitation.html.j2", 422, invited=user, secret=secret, findings=(), differ=True)
    try:
        accept(site.ledger, secret, password)
    except Refused as error:
        return stranger_page(request, "invitation.html.j2", 422, invited=user, secret=secret, findings=error.findings)
    return enter(site, begin_session(site.ledger, user.id, address=address_of(request), method="link"), "/")


def enter(site: Site, new: NewSession, target: str) -> Response:
    """Go on as somebody: the session's token in a cookie for as long as the browser is open."""
    answer = RedirectResponse(target, 303)
    give_cookie(site, answer, cookie_name(site), new.token)
    take_cookie(site, answer, f"{cookie_name(site)}-form")
    return answer


def to_sign_in(request: Request) -> Response:
    """The way to sign in, and back to the page that was asked for."""
    wanted = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    target = local_address(wanted) if request.method == "GET" else "/"
    return RedirectResponse("/sign-in" if target == "/" else f"/sign-in?next={quote(target, safe='/')}", 303)


def _ask(
    request: Request, target: str, *, name: str = "", status: int = 200, findings: tuple[object, ...] = ()
) -> Response:
    site = site_of(request)
    return stranger_page(
        request, "sign-in.html.j2", status,
        target=target, name=name, findings=findings, nobody=not any_account(site.ledger),
        provider=bool(site.settings.oidc_issuer),
    )  # fmt: skip
