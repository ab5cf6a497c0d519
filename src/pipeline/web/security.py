"""What holds for every answer of the site: hosts, size, where a form came from, headers, and a number for each request.

The rules follow OWASP's cheat sheets on CSRF and on HTTP headers. A form is checked three times: by the browser's own
word on where it came from (``Sec-Fetch-Site``, ``Origin``), by the cookie's ``SameSite``, and by the token it carries.
"""

import logging
import secrets
from collections.abc import Iterable
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.requests import ClientDisconnect
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send
from starlette.types import Message as Sent

from pipeline.language import Message, choose, say, translator

LOG = logging.getLogger("pipeline.web")

#: The largest body of a request, in bytes. Nothing is uploaded here; a long comment with feedback stays far below.
MAX_BODY = 1_000_000

CONTENT_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)

_ALWAYS = {
    "content-security-policy": CONTENT_POLICY,
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    # Not "no-referrer": browsers would then send the site's own forms with an unknown origin.
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    "cache-control": "no-store",
}
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
_TOO_LARGE = say("The request is larger than 1 MB.")
LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})


class _TooLargeError(Exception):
    """The body went over the limit while it was read."""


class Guard:
    """The outermost layer; nothing answers without it.

    Args:
        app: what is guarded.
        hosts: names the site may be called by, without port; anything else is refused, so that no foreign name can
            be pointed at this machine (DNS rebinding).
        secure: whether people come through TLS.
    """

    def __init__(self, app: ASGIApp, *, hosts: Iterable[str], secure: bool) -> None:
        self._app = app
        self._hosts = frozenset(host.lower() for host in hosts)
        headers = {**_ALWAYS, **({"strict-transport-security": "max-age=31536000"} if secure else {})}
        self._headers = {name.encode(): value.encode() for name, value in headers.items()}
        self._secure = secure

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request through, or answer it here."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":
            return  # there is nothing here that speaks another protocol
        number = secrets.token_hex(8)
        scope.setdefault("state", {})["request_id"] = number
        sender = self._dressed(send, number)
        headers = Headers(scope=scope)
        refusal = self._refusal(scope, headers)
        if refusal is not None:
            status, text = refusal
            LOG.warning("%s refused: %s", number, text)
            await plain(text, status, headers)(scope, receive, sender)
            return
        try:
            await self._app(scope, _limited(receive), sender)
        except _TooLargeError:
            await plain(_TOO_LARGE, 413, headers)(scope, receive, sender)
        except ClientDisconnect:
            LOG.info("%s went away before it had said everything", number)
        except Exception:  # the last stop: whatever it is, the reader is told a number and the log the rest
            LOG.exception("%s %s %s", number, scope["method"], scope["path"])
            text = say(
                "Something went wrong, and nothing of what you just did was kept. If you ask for help, name {number}.",
                number=number,
            )
            await plain(text, 500, headers)(scope, receive, sender)

    def _refusal(self, scope: Scope, headers: Headers) -> tuple[int, Message] | None:
        if _name(headers.get("host", "")) not in self._hosts:
            return 400, say("This site is not called by that name.")
        length = headers.get("content-length", "0")
        if not length.isdecimal() or int(length) > MAX_BODY:
            return 413, _TOO_LARGE
        if scope["method"] not in _SAFE and not scope["path"].startswith("/api/") and self._foreign(headers):
            return 403, say("This form was sent from another site.")
        return None

    def _foreign(self, headers: Headers) -> bool:
        """Whether the browser says that a form came from elsewhere; one that says nothing is left to the token."""
        if headers.get("sec-fetch-site", "same-origin") != "same-origin":
            return True
        origin = headers.get("origin")
        if origin is None:
            return False
        parts = urlsplit(origin)
        scheme_fits = parts.scheme == "https" if self._secure else parts.scheme in {"http", "https"}
        return not scheme_fits or parts.netloc.lower() != headers.get("host", "").lower()

    def _dressed(self, send: Send, number: str) -> Send:
        async def sender(message: Sent) -> None:
            if message["type"] == "http.response.start":
                given = {name.lower() for name, _ in message["headers"]}
                added = [(name, value) for name, value in self._headers.items() if name not in given]
                message["headers"] = [*message["headers"], *added, (b"x-request-id", number.encode())]
            await send(message)

        return sender


def plain(text: Message, status: int, headers: Headers) -> PlainTextResponse:
    """A sentence alone, in the browser's language: for answers that can rely on nothing else."""
    spoken = translator(choose(headers.get("accept-language"))).text(text)
    return PlainTextResponse(f"{spoken}\n", status)


def _limited(receive: Receive) -> Receive:
    """Count what comes in, for a sender that did not say how much it would be."""
    size = 0

    async def counted() -> Sent:
        nonlocal size
        message = await receive()
        size += len(message.get("body", b""))
        if size > MAX_BODY:
            raise _TooLargeError
        return message

    return counted


def _name(host: str) -> str:
    """A Host header without its port."""
    try:
        return (urlsplit(f"//{host}").hostname or "").lower()
    except ValueError:
        return ""


def local_address(target: str) -> str:
    r"""Where to go after signing in: the address if it is a page of this site, else the first page.

    A browser reads ``//host``, ``/\host`` and control characters as another site; only a plain path passes.
    """
    plain = target.startswith("/") and not target.startswith(("//", "/\\")) and target.isprintable()
    if not plain or "\\" in target or urlsplit(target).netloc:
        return "/"
    return (
        target
        if target.split("?")[0].split("/")[1] in {"", "reviews", "projects", "history", "people", "account"}
        else "/"
    )
