"""Who is asking: the session behind a request's cookie, the language to answer in, and the token of its forms."""

import hashlib
import hmac
import secrets
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from pipeline.accounts import (
    Action,
    Session,
    User,
    client_address,
    may,
    people_in,
    session_of,
    touch,
    user_from_proxy,
    visible_to,
)
from pipeline.language import Language, choose
from pipeline.ledger import Reader
from pipeline.web.forms import Form
from pipeline.web.rendering import environment
from pipeline.web.site import Site, site_of
from pipeline.web.threads import HELD

#: The session cookie's name where no TLS is; the other has the prefix that binds it to this host and to TLS.
PLAIN_COOKIE, TLS_COOKIE = "landed", "__Host-landed"
_NOTED_EVERY = timedelta(minutes=1)


class SignInFirstError(Exception):
    """The page is for people who are signed in."""


class NotFoundError(Exception):
    """There is no such thing, or it is not this person's to see; which of the two is not told."""


class ForgedFormError(Exception):
    """The form does not carry the token of the session it came with."""


@dataclass(frozen=True)
class Visitor:
    """Somebody who is signed in."""

    site: Site
    session: Session
    request: Request

    @property
    def user(self) -> User:
        """Who it is."""
        return self.session.user

    @property
    def language(self) -> Language:
        """What to answer in: what the person chose, else what the browser asks for."""
        return choose(self.request.headers.get("accept-language"), self.user.language)

    def page(self, template: str, status: int = 200, /, **values: Any) -> HTMLResponse:
        """A page for this person."""
        return HTMLResponse(self._rendered(template, values), status)

    def kept_page(self, template: str, key: Hashable, values: Callable[[], dict[str, Any]]) -> HTMLResponse:
        """A page that follows from the record, from who asks and from the key: rendered once while they stay.

        The caller has asked whether this person may see it; that is never kept.
        """
        asked = (self.request.scope["path"], str(self.request.query_params), self.language)
        whole = (template, self.user, self.session.csrf, asked, key)
        return HTMLResponse(self.site.page(whole, lambda: self._rendered(template, values()).encode()))

    def _rendered(self, template: str, values: dict[str, Any]) -> str:
        from pipeline.web.waiting import waiting_for

        known = {
            "user": self.user,
            "token": self.session.csrf,
            "waiting": len(waiting_for(self.site, self.user)),
            "here": self.request.scope["path"],
            "here_query": self.request.query_params,
        }
        return environment(self.language).get_template(template).render(**known, **values)

    @property
    def projects(self) -> tuple[str, ...]:
        """The projects this person may view; the session says who they are now, the record whom a project names."""
        from pipeline.web.waiting import delegations_of, newest

        site, user = self.site, self.user
        named = {name: people_in(record.charter) for name, record in newest(site).items()}
        return visible_to(user, delegations_of(site, user), named)

    def may(self, action: Action, project: str = "") -> bool:
        """Whether this person has a right."""
        if action == "view":
            return project in self.projects
        return may(self.site.ledger, self.user, action, project)

    def require(self, action: Action, project: str = "") -> None:
        """Go on only with a right.

        Raises:
            NotFoundError: this person does not have it.
        """
        if not self.may(action, project):
            raise NotFoundError


def signed_in(request: Request, form: Form | None = None) -> Visitor:
    """The person behind a request; a form must carry the token of their session.

    Raises:
        SignInFirstError: nobody is signed in.
        ForgedFormError: the form came without the session's token.
    """
    site = site_of(request)
    held: Reader | None = request.scope["state"].get(HELD)
    session = current_session(request, held or site.ledger)
    if session is None:
        raise SignInFirstError
    if form is not None and not form.bears(session.csrf):
        raise ForgedFormError
    return Visitor(site.as_of(held) if held else site, session, request)


def current_session(request: Request, reader: Reader) -> Session | None:
    """The session of a request's cookie, or None; being seen keeps it alive."""
    site = site_of(request)
    token = request.cookies.get(cookie_name(site), "")
    session = session_of(reader, token) if token else None
    if session is None:
        return None
    if session.method == "proxy" and proxy_user(request) != session.user.id:
        return None  # the proxy speaks of somebody else now, or of nobody
    if site.ledger.now() - datetime.fromisoformat(session.seen_at) > _NOTED_EVERY:
        touch(site.ledger, token)
    return session


def proxy_user(request: Request) -> str | None:
    """The id of the person a trusted proxy names, where that is switched on."""
    site = site_of(request)
    if not site.settings.proxy_header:
        return None
    header = request.headers.get(site.settings.proxy_header)
    found = user_from_proxy(site.ledger, site.settings, _peer(request), header)
    return found.id if found else None


def address_of(request: Request) -> str:
    """The network address a request came from; a proxy's word counts only where it is trusted."""
    return client_address(site_of(request).settings, _peer(request), request.headers.get("x-forwarded-for"))


def _peer(request: Request) -> str:
    return request.client.host if request.client else ""


def cookie_name(site: Site) -> str:
    """The session cookie's name."""
    return TLS_COOKIE if site.secure else PLAIN_COOKIE


def give_cookie(site: Site, response: Response, name: str, value: str, *, seconds: int | None = None) -> None:
    """Set a cookie that scripts cannot read and other sites' forms do not carry."""
    response.set_cookie(name, value, max_age=seconds, path="/", secure=site.secure, httponly=True, samesite="lax")


def take_cookie(site: Site, response: Response, name: str) -> None:
    """Make the browser forget a cookie."""
    response.delete_cookie(name, path="/", secure=site.secure, httponly=True, samesite="lax")


def stranger_page(request: Request, template: str, status: int = 200, /, **values: Any) -> HTMLResponse:
    """A page for somebody who is not signed in, its forms bound to a cookie of its own."""
    site = site_of(request)
    name = f"{cookie_name(site)}-form"
    seed = request.cookies.get(name) or secrets.token_urlsafe(24)
    known = {"user": None, "token": stranger_token(site, seed), "waiting": 0, "here": request.url.path}
    language = choose(request.headers.get("accept-language"), request.query_params.get("language"))
    response = HTMLResponse(environment(language).get_template(template).render(**known, **values), status)
    give_cookie(site, response, name, seed, seconds=3600)
    return response


def check_stranger(request: Request, form: Form) -> None:
    """Go on only with a form that this browser was given.

    Raises:
        ForgedFormError: it was not.
    """
    site = site_of(request)
    seed = request.cookies.get(f"{cookie_name(site)}-form", "")
    if not seed or not form.bears(stranger_token(site, seed)):
        raise ForgedFormError


def stranger_token(site: Site, seed: str) -> str:
    """The form token that belongs to a cookie."""
    return hmac.new(site.key, f"form:{seed}".encode(), hashlib.sha256).hexdigest()
