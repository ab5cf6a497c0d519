"""Signing in through an OpenID Connect provider, where one is configured; off by default.

Authlib does the protocol: code flow with PKCE, state and nonce, the ID token's signature and claims checked. Its state
between the two steps lies in a signed cookie that lives ten minutes. Who the claims speak of is for
:func:`pipeline.accounts.user_from_claims` to say; nobody gets an account this way.
"""

import base64
import hashlib
import hmac
import json
import logging
import warnings
from functools import cache
from typing import Any

import httpx
from fastapi import APIRouter, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from pipeline.accounts import NewSession, begin_session, user_from_claims
from pipeline.errors import Refused
from pipeline.settings import Settings
from pipeline.web.security import local_address
from pipeline.web.signin import enter
from pipeline.web.site import Site, site_of
from pipeline.web.visitors import NotFoundError, address_of, cookie_name, give_cookie, stranger_page, take_cookie

LOG = logging.getLogger("pipeline.web")

router = APIRouter(include_in_schema=False)

_MINUTES = 10


@router.get("/sign-in/provider")
async def leave(request: Request) -> Response:
    """Send a person to the provider."""
    site, target = _on(request), local_address(request.query_params.get("next", "/"))
    request.scope["session"] = {"next": target}
    try:
        answer: Response = await _client(site.settings).authorize_redirect(request, _return_address(site, request))
    except (httpx.HTTPError, KeyError, ValueError) as error:
        LOG.warning("%s the provider cannot be asked: %s", request.state.request_id, error)
        return _again(request, site, target, status=503)
    seconds = _MINUTES * 60
    give_cookie(site, answer, _cookie(site), _sealed(site, request.scope["session"]), seconds=seconds)
    return answer


@router.get("/sign-in/returned")
async def come_back(request: Request) -> Response:
    """Let in whom the provider vouches for, if they have an account here."""
    site = _on(request)
    session = request.scope["session"] = _opened(site, request.cookies.get(_cookie(site), ""))
    target = local_address(str(session.get("next", "/")))
    from authlib.common.errors import AuthlibBaseError
    from joserfc.errors import JoseError

    try:
        given = await _client(site.settings).authorize_access_token(request)
        new = await run_in_threadpool(_begin, request, site, given.get("userinfo") or {})
    except Refused as error:
        return _again(request, site, target, error.findings)
    except httpx.HTTPError as error:
        LOG.warning("%s the provider cannot be asked: %s", request.state.request_id, error)
        return _again(request, site, target, status=503)
    except (AuthlibBaseError, JoseError, ValueError, KeyError, TypeError) as error:
        LOG.warning("%s sign-in by the provider failed: %s", request.state.request_id, error)
        return _again(request, site, target)
    answer: Response = enter(site, new, target)
    take_cookie(site, answer, _cookie(site))
    return answer


def _begin(request: Request, site: Site, claims: dict[str, Any]) -> NewSession:
    user = user_from_claims(site.ledger, site.settings, claims)
    return begin_session(site.ledger, user.id, address=address_of(request), method="oidc")


def _again(request: Request, site: Site, target: str, findings: tuple[Any, ...] = (), *, status: int = 401) -> Response:
    answer = stranger_page(
        request, "sign-in.html.j2", status,
        target=target, name="", findings=findings, nobody=False, provider=True, provider_failed=True,
        provider_away=status == 503,
    )  # fmt: skip
    take_cookie(site, answer, _cookie(site))
    return answer


def _on(request: Request) -> Site:
    site = site_of(request)
    if not site.settings.oidc_issuer:
        raise NotFoundError
    return site


@cache
def _client(settings: Settings) -> Any:
    # Authlib announces a successor of httpx that this installation does not need; it overrules filters.
    with warnings.catch_warnings(record=True):
        from authlib.integrations.starlette_client import OAuth

    return OAuth().register(
        "provider",
        client_id=settings.oidc_client_id,
        client_secret=settings.oidc_client_secret.get_secret_value(),
        server_metadata_url=f"{settings.oidc_issuer.rstrip('/')}/.well-known/openid-configuration",
        client_kwargs={"scope": "openid email profile", "code_challenge_method": "S256"},
    )


def _return_address(site: Site, request: Request) -> str:
    return f"{(site.settings.site_url or str(request.base_url)).rstrip('/')}/sign-in/returned"


def _cookie(site: Site) -> str:
    return f"{cookie_name(site)}-provider"


def _sealed(site: Site, session: dict[str, Any]) -> str:
    text = base64.urlsafe_b64encode(json.dumps(session).encode()).decode()
    return f"{text}.{_seal(site, text)}"


def _opened(site: Site, sealed: str) -> dict[str, Any]:
    """What was put into the cookie; empty when somebody else wrote it."""
    text, _, seal = sealed.rpartition(".")
    if not text or not hmac.compare_digest(seal.encode(), _seal(site, text).encode()):
        return {}
    session: dict[str, Any] = json.loads(base64.urlsafe_b64decode(text))
    return session


def _seal(site: Site, text: str) -> str:
    return hmac.new(site.key, f"provider:{text}".encode(), hashlib.sha256).hexdigest()
