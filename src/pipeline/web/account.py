"""My account: language, password, API tokens, handing my role to somebody for a while."""

from datetime import date
from typing import Annotated

from fastapi import APIRouter, Depends, Request
from starlette.responses import RedirectResponse, Response

from pipeline.accounts import (
    NewToken,
    TryLater,
    begin_session,
    change_language,
    change_password,
    delegate,
    delegations,
    end_delegation,
    end_sessions,
    make_token,
    revoke_token,
    role_of,
    tokens_of,
    users,
)
from pipeline.errors import Refused
from pipeline.language import LANGUAGES
from pipeline.web.forms import Form, read_form
from pipeline.web.signin import enter
from pipeline.web.visitors import Visitor, address_of, signed_in

router = APIRouter(include_in_schema=False)

Posted = Annotated[Form, Depends(read_form)]

_MOST_DAYS = 365


@router.get("/account")
def account(request: Request) -> Response:
    """The page."""
    return _page(signed_in(request))


@router.post("/account/language")
def speak(request: Request, form: Posted) -> Response:
    """Choose the language of pages and notices."""
    visitor = signed_in(request, form)
    if form.text("language") in LANGUAGES:
        change_language(visitor.site.ledger, visitor.user.id, form.text("language"))
    return RedirectResponse("/account", 303)


@router.post("/account/password")
def renew(request: Request, form: Posted) -> Response:
    """Change the password; every other session ends."""
    visitor = signed_in(request, form)
    site, user = visitor.site, visitor.user
    old, new, again = (form.fields.get(name, [""])[-1] for name in ("old", "password", "again"))
    if new != again:
        return _page(visitor, differ=True)
    try:
        change_password(site.ledger, user.id, old, new, address_of(request))
    except TryLater as error:
        answer = _page(visitor, findings=error.findings, status=429)
        answer.headers["retry-after"] = str(error.after)
        return answer
    except Refused as error:
        return _page(visitor, findings=error.findings)
    return enter(site, begin_session(site.ledger, user.id, address=address_of(request), method="password"), "/account")


@router.post("/account/sessions")
def leave_everywhere(request: Request, form: Posted) -> Response:
    """Sign out on every device."""
    visitor = signed_in(request, form)
    end_sessions(visitor.site.ledger, visitor.user.id, by=visitor.user.id)
    return RedirectResponse("/sign-in", 303)


@router.post("/account/tokens")
def token(request: Request, form: Posted) -> Response:
    """Make an API token, shown once, or revoke one."""
    visitor = signed_in(request, form)
    try:
        if form.has("revoke"):
            revoke_token(visitor.site.ledger, form.text("revoke"), by=visitor.user.id)
            return RedirectResponse("/account#tokens", 303)
        days = form.text("days")
        made = make_token(
            visitor.site.ledger, visitor.user.id, form.text("name"), read_only=form.has("read_only"),
            days=min(int(days), _MOST_DAYS) if days.isascii() and days.isdecimal() and len(days) < 5 else 90,
        )  # fmt: skip
    except Refused as error:
        return _page(visitor, findings=error.findings)
    return _page(visitor, made=made)


@router.post("/account/delegations")
def hand_on(request: Request, form: Posted) -> Response:
    """Hand my role in a project to somebody from day to day, or end it early."""
    visitor = signed_in(request, form)
    ledger = visitor.site.ledger
    try:
        if form.has("end"):
            end_delegation(ledger, form.text("end"), by=visitor.user.id)
        else:
            starts, ends = (date.fromisoformat(form.text(name)) for name in ("starts", "ends"))
            delegate(ledger, form.text("project"), visitor.user.id, form.text("to"), starts, ends)
    except ValueError:
        return _page(visitor, no_days=True)
    except Refused as error:
        return _page(visitor, findings=error.findings)
    return RedirectResponse("/account#delegations", 303)


def _page(
    visitor: Visitor,
    *,
    made: NewToken | None = None,
    findings: tuple[object, ...] = (),
    differ: bool = False,
    no_days: bool = False,
    status: int = 200,
) -> Response:
    ledger, user = visitor.site.ledger, visitor.user
    roles = [(name, role_of(ledger, user, name)) for name in visitor.projects]
    mine = [one for one in delegations(ledger) if user.id in {one.giver, one.delegate} and one.ended_at is None]
    return visitor.page(
        "account.html.j2",
        422 if findings or differ or no_days else status,
        session=visitor.session,
        tokens=tokens_of(ledger, user.id),
        roles=[(name, held) for name, held in roles if held is not None],
        delegations=mine,
        others=[one for one in users(ledger) if one.active and one.id != user.id],
        made=made,
        findings=findings,
        differ=differ,
        no_days=no_days,
        today=ledger.now().date(),
    )
