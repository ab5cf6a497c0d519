"""The site of ``make docs``: built without the network, whole, and loading nothing from elsewhere."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

from tests.docs.blocks import ROOT
from tests.trap import assert_it_works, trapped
from tests.web.browsing import CHROMIUM, FLAGS

#: Elements that make a browser load something, and the attribute that says what.
LOADING = {
    "script": "src",
    "link": "href",
    "img": "src",
    "source": "src",
    "iframe": "src",
    "video": "src",
    "object": "data",
}


class Page(HTMLParser):
    """What a page loads, what it links to, and the anchors it has."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.loads: list[str] = []
        self.links: list[str] = []
        self.anchors: set[str] = set()
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attrs):
        given = dict(attrs)
        self.anchors |= {given[name] for name in ("id", "name") if given.get(name)}
        if tag in LOADING and given.get(LOADING[tag]) and given.get("rel") != "canonical":
            self.loads.append(given[LOADING[tag]])
        if tag == "a" and given.get("href"):
            self.links.append(given["href"])


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> Path:
    """The site, built by what ``make docs`` calls, in a process that may look up and call nobody."""
    folder = tmp_path_factory.mktemp("docs")
    assert_it_works(folder)
    caught = folder / "caught"
    built = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", folder / "site"],
        cwd=ROOT, env={**os.environ, **trapped(folder / "trap", caught), "NO_MKDOCS_2_WARNING": "1"},
        capture_output=True, text=True,
    )  # fmt: skip
    assert built.returncode == 0, built.stderr
    assert "WARNING" not in built.stderr, built.stderr
    assert not caught.exists(), caught.read_text()
    return folder / "site"


def pages(site: Path) -> Iterator[tuple[Path, Page]]:
    for path in sorted(site.rglob("*.html")):
        yield path, Page(path)


def test_every_page_of_the_folder_is_in_the_site(site):
    sources = {path.relative_to(ROOT / "docs").with_suffix(".html") for path in (ROOT / "docs").rglob("*.md")}
    assert {path.relative_to(site) for path, _ in pages(site)} - {Path("404.html")} == sources


def test_no_page_loads_anything_from_elsewhere(site):
    for path, page in pages(site):
        for address in page.loads:
            assert not urlsplit(address).netloc, f"{path.relative_to(site)} loads {address}"
    for style in site.rglob("*.css"):
        for address in re.findall(r"""url\(["']?([^"')]+)""", style.read_text(encoding="utf-8")):
            assert not urlsplit(address).netloc, f"{style.relative_to(site)} loads {address}"


def test_every_link_and_anchor_inside_the_site_leads_somewhere(site):
    found = dict(pages(site))
    for path, page in found.items():
        if path.name == "404.html":  # shown at any address, so its links begin at the root
            continue
        for link in (*page.links, *page.loads):
            parts = urlsplit(link)
            if parts.scheme or parts.netloc:
                continue
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            assert target.exists(), f"{path.relative_to(site)}: {link}"
            if parts.fragment and target in found and not parts.fragment.startswith("__"):
                assert unquote(parts.fragment) in found[target].anchors, f"{path.relative_to(site)}: {link}"


@pytest.mark.proof
@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium here: the documentation was not opened in a real browser")
def test_a_browser_opens_it_as_files_asks_nobody_and_finds_words(site):
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        page = browser.new_page()
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        page.goto((site / "index.html").as_uri())
        page.click(".md-search__input")
        page.keyboard.type("worst_unit_limit")
        page.wait_for_selector(".md-search-result__item")
        assert "reference/charter.html" in page.inner_html(".md-search-result")
        for path in site.rglob("*.html"):
            page.goto(path.as_uri())
        browser.close()
    assert not [address for address in asked if not address.startswith(("file:", "data:", "blob:", "about:"))]
