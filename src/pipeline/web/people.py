"""People: accounts, rights, roles per project, one-time links. For administrators of the site."""

from typing import Annotated

from fastapi import APIRouter, Depends, Request
from starlette.responses import RedirectResponse, Response

from pipeline.accounts import (
    Invitation,
    change_rights,
    deactivate,
    delegations,
    end_sessions,
    invite,
    people_of,
    reactivate,
    reset,
    revoke_token,
    tokens_of,
    users,
)
from pipeline.errors import Refused
from pipeline.language import LANGUAGES
from pipeline.web.forms import Form, read_form
from pipeline.web.visitors import Visitor, signed_in

router = APIRouter(include_in_schema=False)

Posted = Annotated[Form, Depends(read_form)]


@router.get("/people")
def people(request: Request) -> Response:
    """Everybody with an account, and everybody a charter names."""
    visitor = signed_in(request)
    visitor.require("administer")
    return _page(visitor)


@router.post("/people/invite")
def ask_in(request: Request, form: Posted) -> Response:
    """Make an account, or a new link for one; the link is shown once."""
    visitor = signed_in(request, form)
    visitor.require("administer")
    language = form.text("language")
    try:
        made = invite(
            visitor.site.ledger, form.text("id"), form.text("name"), form.text("email"), by=visitor.user.id,
            admin=form.has("admin"), auditor=form.has("auditor"),
            language=language if language in LANGUAGES else "en",
        )  # fmt: skip
    except Refused as error:
        return _page(visitor, findings=error.findings, typed=form)
    return _page(visitor, made=made)


@router.post("/people/{name}")
def change(request: Request, name: str, form: Posted) -> Response:
    """Change one account: its rights, whether it is active, its sessions, its password link, its tokens."""
    visitor = signed_in(request, form)
    visitor.require("administer")
    ledger, by = visitor.site.ledger, visitor.user.id
    try:
        match form.text("go"):
            case "rights":
                change_rights(ledger, name, by=by, admin=form.has("admin"), auditor=form.has("auditor"))
            case "deactivate":
                deactivate(ledger, name, by=by)
            case "reactivate":
                reactivate(ledger, name, by=by)
            case "reset":
                return _page(visitor, made=reset(ledger, name, by=by))
            case "sign-out":
                end_sessions(ledger, name, by=by)
            case "revoke":
                revoke_token(ledger, form.text("id"), by=visitor.user.id)
    except Refused as error:
        return _page(visitor, findings=error.findings)
    return RedirectResponse("/people", 303)


def _page(
    visitor: Visitor,
    *,
    made: Invitation | None = None,
    findings: tuple[object, ...] = (),
    typed: Form | None = None,
) -> Response:
    ledger = visitor.site.ledger
    everybody = users(ledger)
    return visitor.page(
        "people.html.j2",
        422 if findings else 200,
        everybody=[(one, tokens_of(ledger, one.id)) for one in everybody],
        roles=[(project, people_of(ledger, project)) for project in visitor.projects],
        known={one.id for one in everybody},
        delegations=delegations(ledger),
        made=made,
        address=f"{_base(visitor)}/invitation/{made.secret}" if made else "",
        findings=findings,
        typed=typed or Form({}),
    )


def _base(visitor: Visitor) -> str:
    return (visitor.site.settings.site_url or str(visitor.request.base_url)).rstrip("/")
