"""A small OpenID Connect provider on loopback: discovery, authorization code with PKCE, signed ID tokens, keys.

It checks what a provider checks (OpenID Connect Core 1.0, 3.1; RFC 7636) and can be told to misbehave as an attacker
would: sign with another key, or claim something else.
"""

import base64
import hashlib
import hmac
import json
import secrets
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Annotated, Any
from urllib.parse import urlencode

import uvicorn
from fastapi import FastAPI, Form, Header, HTTPException
from joserfc import jwk, jwt
from starlette.responses import RedirectResponse, Response

CLIENT, SECRET = "landed", "a secret between the two"


@dataclass
class Provider:
    """The provider, and who sits at its sign-in page.

    Attributes:
        issuer: its address.
        claims: what it says of the person; the rest is filled in as the standard asks.
        published: its key; others check with the public half.
        sign: makes an ID token of claims.
        asked: the authorization requests it got.
        codes: requests whose code was not redeemed yet.
    """

    issuer: str = ""
    claims: dict[str, Any] = field(default_factory=dict)
    published: jwk.RSAKey = field(default_factory=lambda: jwk.RSAKey.generate_key(2048, {"kid": "one"}))
    sign: Callable[[dict[str, Any]], str] = lambda _: ""
    asked: list[dict[str, str]] = field(default_factory=list)
    codes: dict[str, dict[str, str]] = field(default_factory=dict)

    def behave(self, **claims: Any) -> None:
        """Be honest again, about this person."""
        self.claims, self.sign = claims, signed_with(self.published)
        self.asked.clear()

    def authorize(self, request: Mapping[str, str]) -> str:
        """Ask the person, who agrees; returns where the browser is sent."""
        assert request["response_type"] == "code"
        assert request["client_id"] == CLIENT
        assert "openid" in request["scope"].split()
        assert request["code_challenge_method"] == "S256"
        self.asked.append(dict(request))
        code = secrets.token_urlsafe(16)
        self.codes[code] = dict(request)
        return f"{request['redirect_uri']}?{urlencode({'code': code, 'state': request['state']})}"

    def token(self, code: str, redirect_uri: str, verifier: str) -> dict[str, Any]:
        """Redeem a code, once, for whoever holds the verifier of its challenge."""
        request = self.codes.pop(code, None)
        challenge = _text(hashlib.sha256(verifier.encode()).digest())
        if request is None or request["redirect_uri"] != redirect_uri or request["code_challenge"] != challenge:
            raise HTTPException(400, "invalid_grant")
        now = int(time.time())
        claims = {
            "iss": self.issuer, "sub": "248289761001", "aud": CLIENT, "iat": now, "exp": now + 300,
            "nonce": request["nonce"], **self.claims,
        }  # fmt: skip
        access = {"access_token": secrets.token_urlsafe(16), "token_type": "Bearer", "expires_in": 300}
        return {**access, "id_token": self.sign(claims)}


def signed_with(key: jwk.RSAKey) -> Callable[[dict[str, Any]], str]:
    """As a provider signs (RFC 7515), under the name of the published key whatever the key is."""
    return lambda claims: jwt.encode({"alg": "RS256", "kid": "one"}, claims, key)


def forged(claims: Mapping[str, Any], header: Mapping[str, str], secret: bytes | None) -> str:
    """A token put together by hand: without a signature, or with one by a secret."""
    body = ".".join(_text(json.dumps(part).encode()) for part in (header, claims))
    return f"{body}.{_text(hmac.digest(secret, body.encode(), 'sha256')) if secret else ''}"


def _text(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _app(provider: Provider) -> FastAPI:
    app = FastAPI()

    @app.get("/.well-known/openid-configuration")
    def discovery() -> dict[str, Any]:
        at = provider.issuer
        return {
            "issuer": at, "authorization_endpoint": f"{at}/authorize", "token_endpoint": f"{at}/token",
            "jwks_uri": f"{at}/jwks", "response_types_supported": ["code"], "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["RS256"],
        }  # fmt: skip

    @app.get("/authorize")
    def authorize(
        response_type: str, client_id: str, redirect_uri: str, scope: str, state: str, nonce: str,
        code_challenge: str, code_challenge_method: str,
    ) -> Response:  # fmt: skip
        given = {name: value for name, value in locals().items() if name != "provider"}
        return RedirectResponse(provider.authorize(given), 302)

    @app.post("/token")
    def token(
        grant_type: Annotated[str, Form()],
        code: Annotated[str, Form()],
        redirect_uri: Annotated[str, Form()],
        code_verifier: Annotated[str, Form()],
        authorization: Annotated[str, Header()],
    ) -> dict[str, Any]:
        known = base64.b64encode(f"{CLIENT}:{SECRET.replace(' ', '+')}".encode()).decode()
        plain = base64.b64encode(f"{CLIENT}:{SECRET}".encode()).decode()
        if grant_type != "authorization_code" or authorization not in {f"Basic {known}", f"Basic {plain}"}:
            raise HTTPException(401, "invalid_client")
        return provider.token(code, redirect_uri, code_verifier)

    @app.get("/jwks")
    def keys() -> dict[str, Any]:
        return {"keys": [provider.published.as_dict(private=False)]}

    return app


@contextmanager
def provider_running() -> Iterator[Provider]:
    """A provider behind a real socket."""
    provider = Provider()
    server = uvicorn.Server(uvicorn.Config(_app(provider), port=0, log_level="error", ws="none"))
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        while not server.started:
            thread.join(0.02)
            assert thread.is_alive()
        provider.issuer = f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
        yield provider
    finally:
        server.should_exit = True
        thread.join(30)
