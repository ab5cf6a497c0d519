"""A browser without a screen: cookies, forms and redirects against the application itself, no network."""

import asyncio
import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html.parser import HTMLParser
from typing import Any
from urllib.parse import urlencode

import httpx
from fastapi import FastAPI

from pipeline.accounts import begin_session, session_of
from pipeline.ledger import Ledger

#: The system's Chromium, for tests and pictures of a real browser; None where there is none.
CHROMIUM = os.environ.get("LANDED_TEST_CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
         "--disable-component-update", "--disable-sync"]  # fmt: skip
HERE = "http://127.0.0.1:8710"
Fields = Mapping[str, str | Sequence[str]]


class Wire(httpx.BaseTransport):
    """Carries a request of a synchronous client into an ASGI application."""

    def __init__(self, app: FastAPI) -> None:
        self._app = app

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        return asyncio.run(self._ask(request))

    async def _ask(self, request: httpx.Request) -> httpx.Response:
        transport = httpx.ASGITransport(self._app)
        given = httpx.Request(request.method, request.url, headers=request.headers, content=request.read())
        answer = await transport.handle_async_request(given)
        return httpx.Response(answer.status_code, headers=answer.headers, content=await answer.aread())


class Browser:
    """One person's browser; signed in through the accounts themselves, since hashing a password is slow."""

    def __init__(self, app: FastAPI, user: str | None = None, *, base: str = HERE) -> None:
        self.client = httpx.Client(transport=Wire(app), base_url=base, headers={"accept-language": "en"})
        self.base = base
        self.ledger: Ledger = app.state.site.ledger
        self.token = ""
        if user is not None:
            new = begin_session(self.ledger, user, address="127.0.0.1", method="password")
            self.client.cookies.set("__Host-landed" if app.state.site.secure else "landed", new.token)
            found = session_of(self.ledger, new.token)
            assert found is not None
            self.token = found.csrf

    def get(self, path: str, **headers: str) -> "Page":
        return Page(self.client.get(path, headers=_dashed(headers)))

    def post(self, path: str, fields: Fields | None = None, *, token: str | None = None, **headers: str) -> "Page":
        """Send a form as a browser does: with the token of the page and its origin."""
        given = {"token": self.token if token is None else token, **(fields or {})}
        sent = {"content-type": "application/x-www-form-urlencoded", "origin": self.base, **_dashed(headers)}
        return Page(self.client.post(path, content=urlencode(given, doseq=True), headers=sent))

    def follow(self, page: "Page") -> "Page":
        """The page a redirect leads to."""
        assert page.status == 303, (page.status, page.text[:500])
        return self.get(page.headers["location"])


def _dashed(headers: Mapping[str, str]) -> dict[str, str]:
    return {name.replace("_", "-"): value for name, value in headers.items()}


@dataclass
class Element:
    """An element of a page with its text."""

    name: str
    attributes: dict[str, str | None]
    text: str = ""


class Page(HTMLParser):
    """An answer, and its HTML taken apart."""

    #: Elements without an end.
    VOID = frozenset({"input", "meta", "link", "br", "img", "wbr", "hr"})

    def __init__(self, answer: httpx.Response) -> None:
        super().__init__()
        self.status, self.headers, self.text = answer.status_code, answer.headers, answer.text
        self.elements: list[Element] = []
        self._open: list[Element] = []
        if "html" in answer.headers.get("content-type", ""):
            self.feed(answer.text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        element = Element(tag, dict(attrs))
        self.elements.append(element)
        if tag not in self.VOID:
            self._open.append(element)

    def handle_endtag(self, tag: str) -> None:
        while self._open:
            if self._open.pop().name == tag:
                return

    def handle_data(self, data: str) -> None:
        for element in self._open:
            element.text += data

    def all(self, name: str, /, **wanted: Any) -> list[Element]:
        """Every element of a name whose attributes are as given."""
        found = [element for element in self.elements if element.name == name]
        return [one for one in found if all(one.attributes.get(key) == value for key, value in wanted.items())]

    @property
    def words(self) -> str:
        """What a reader sees, blanks evened out."""
        body = self.all("main") or self.all("body")
        return " ".join(body[0].text.split()) if body else " ".join(self.text.split())

    @property
    def title(self) -> str:
        return " ".join(self.all("h1")[0].text.split())

    def value(self, name: str) -> str:
        """What a form's field holds."""
        return next(
            one.attributes.get("value") or "" for one in self.all("input") if one.attributes.get("name") == name
        )

    def links(self) -> list[str]:
        return [one.attributes.get("href") or "" for one in self.all("a")]
