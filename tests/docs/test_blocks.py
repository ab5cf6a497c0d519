"""Every command of README and docs is played, in a folder that makes its page true, or named below with a reason."""

import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.docs import places
from tests.docs.blocks import Command, Shell, called_rightly, commands_of, page_name
from tests.test_docs import PAGES
from tests.trap import assert_it_works, trapped

#: What a test cannot play, by page and beginning of the command, and why. Its options, words of make and the files it
#: names are still looked at.
NOT_PLAYED: dict[str, dict[str, str]] = {
    "README.md": {
        "make test": "would play itself",
        "make proof": "would play itself",
        "make check": "the hook of continuous integration plays it",
        "make bench": "measures for minutes, and what it shows depends on the machine",
        "make chaos": "kills parts for minutes; tests/orchestration plays it small",
        "make format": "writes into the sources",
        "make screenshots": "writes pictures into the sources",
        "make docs": "writes into the sources; test_site.py builds the site elsewhere",
        "make clean": "removes the environment the test runs in",
    },
    "CONTRIBUTING.md": {
        "make install": "the environment the test runs in came about by it",
        "make check": "the hook of continuous integration plays it",
        "make test": "would play itself",
        "make proof": "would play itself",
        "make format": "writes into the sources",
        "make docs": "writes into the sources; test_site.py builds the site elsewhere",
    },
    "docs/benchmarks.md": {
        "make bench": "measures for minutes, and what it shows depends on the machine",
        "PYTHONPATH=. ": "the same",
    },
    "docs/cli.md": {"landed --install-completion": "writes into the home of whoever runs the tests"},
    "docs/deploy.md": {
        "chgrp": "needs the group of the image's user",
        "psql": "needs a server of one's own; tests/team runs the file against PostgreSQL",
        "docker": "needs an engine; tests/team reads the files",
        "landed ": "speaks to the servers of a team; tests/team starts them on this machine",
        "prefect work-pool": "needs a standing server, and looks up a host",
        "prefect worker": "stays, and needs an engine",
        "pip install": "downloads; the tests have it",
        "dask ": "stays; tests/flows starts a cluster on this machine",
    },
    "docs/howto/operator.md": {"LANDED_ENGINE=dask": "starts a cluster, as tests/flows does"},
}


PROJECT = "smart-replenishment"
REVIEW, RUNG = f"{PROJECT}-1-pilot", f"{PROJECT}-1-regional"
#: A command line without a token, on a machine whose users are taken at their word.
JOAO = {"LANDED_TOKEN": "", "LANDED_TRUST_LOCAL": "true", "LANDED_USER": "joao.pinto"}


@dataclass(frozen=True)
class Page:
    """How a page is made true.

    Attributes:
        made: what its reader did before, in the project's folder.
        words: what stands in place of its placeholders.
        typed: what somebody types into a command.
        by: variables of another person's terminal, by the beginning of a command.
        variables: those of the reader's terminal.
    """

    made: Callable[[Path], None] = lambda folder: None
    words: Mapping[str, str | Callable[[str], str]] = field(default_factory=dict)
    typed: Mapping[str, Callable[[str], str]] = field(default_factory=dict)
    by: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    variables: Mapping[str, str] = field(default_factory=dict)


#: Pages that need no project played before.
QUICK = {
    "docs/accounts.md": Page(
        places.waiting,
        {
            "REVIEW": REVIEW,
            "HASH": places.hash_of(REVIEW),
            "TOKEN": places.last(r"valid until \S+\n +(\S+)"),
            "ID": places.last(r"token (\S+), valid"),
            "DELEGATION": places.last(r"--end (\S+) ends"),
        },
        {"landed people accept": places.link_and_password, "landed people tokens --new": places.password},
        {"landed review sign": JOAO},
    ),
    "docs/deploy.md": Page(),
    "docs/howto/reviewer.md": Page(
        places.released,
        {"REVIEW": RUNG, "HASH": places.hash_of(RUNG)},
        variables={"LANDED_TRUST_LOCAL": "true", "LANDED_USER": "ana.silva"},
    ),
}
#: Pages about a project that was played to its end; here it ends one iteration sooner than for a reader.
SHORTER = {f"{PROJECT}-3-chain": f"{PROJECT}-2-chain", "--iteration 3": "--iteration 2"}
PLAYED = {
    "README.md": Page(
        places.readme,
        {
            **SHORTER,
            "init orders.csv my-project": places.INIT,
            "HASH": places.hash_of("vn2-inventory-1-game"),
        },
    ),
    "docs/auditing.md": Page(
        words={**SHORTER, "PUBLIC": places.last(r"from now on, key (\S+)"), "HASH": places.last(r"head (\w{64})")}
    ),
    "docs/cli.md": Page(),
    "docs/compliance.md": Page(places.changes, {"CHARTER": places.CHARTER}),
    "docs/data.md": Page(places.tables),
    "docs/howto/auditor.md": Page(words={"REVIEW": f"{PROJECT}-2-chain"}, variables={"LANDED_TRUST_LOCAL": "true"}),
    "docs/howto/engineer.md": Page(),
    "docs/howto/operator.md": Page(places.operator, {"CHARTER": places.CHARTER, "FILE": "field.csv"}),
    "docs/operations.md": Page(),
    "docs/rollout.md": Page(
        places.outcomes,
        {"PROJECT": PROJECT, "CHARTER": places.CHARTER, "FILE": "field.csv"},
        variables={"LANDED_USER": "maria.costa"},
    ),
}


def played(page: str) -> list[Command]:
    """The commands of a page that a test plays."""
    skipped = tuple(NOT_PLAYED.get(page, ()))
    path = next(one for one in PAGES if page_name(one) == page)
    return [command for command in commands_of(path) if not (skipped and command.text.startswith(skipped))]


def play(page: str, how: Page, folder: Path, patch: pytest.MonkeyPatch) -> None:
    """Play a page in a project's folder."""
    places.enter(folder, patch)
    for name, value in how.variables.items():
        patch.setenv(name, value)
    how.made(folder)
    places.play_all(Shell(folder, patch, how.words, how.typed, how.by), played(page))


@pytest.mark.parametrize("page", QUICK)
def test_the_commands_of_a_page_do_what_it_says(page, tmp_path, monkeypatch):
    play(page, QUICK[page], places.project(tmp_path / "project"), monkeypatch)


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """The flagship played to its end by README's first command, on a small chain, with the network blocked."""
    root = tmp_path_factory.mktemp("finished")
    folder, trap, caught = places.project(root / "project"), root / "trap", root / "caught"
    with pytest.MonkeyPatch.context() as patch:
        places.enter(folder, patch)
        places.found_retailer(folder / "data" / "retailer")
        for name, value in trapped(trap, caught).items():
            patch.setenv(name, value)
        Shell(folder, patch).play(played("README.md")[0])
    assert_it_works(trap)
    assert not caught.exists(), caught.read_text()
    return folder


@pytest.mark.proof
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("page", PLAYED)
def test_the_commands_of_a_page_on_a_finished_project_do_what_it_says(page, finished, tmp_path, monkeypatch):
    shutil.copytree(finished, tmp_path / "project", symlinks=True)
    play(page, PLAYED[page], tmp_path / "project", monkeypatch)


@pytest.mark.proof
@pytest.mark.timeout(1800)
def test_the_tutorial_leads_from_the_first_run_to_the_proof(tmp_path, monkeypatch):
    """Each command is a process of its own, as for its reader; nothing is made for it but the small chain."""
    folder = places.project(tmp_path / "project")
    places.enter(folder, monkeypatch)
    places.found_retailer(folder / "data" / "retailer")
    words = {**SHORTER, "HASH": places.hash_of("biopsies-1-pilot")}
    places.play_all(Shell(folder, monkeypatch, words, apart=True), played("docs/tutorial.md"))


def test_every_page_with_commands_is_played_or_says_why_not():
    told = {*QUICK, *PLAYED, "docs/tutorial.md", *NOT_PLAYED}
    assert {page_name(page) for page in PAGES if commands_of(page)} == told


@pytest.mark.parametrize("page", NOT_PLAYED)
def test_commands_that_are_not_played_could_be_called_like_that(page):
    path = next(one for one in PAGES if page_name(one) == page)
    left = [command for command in commands_of(path) if command.text.startswith(tuple(NOT_PLAYED[page]))]
    for command in left:
        called_rightly(command)
    for start, reason in NOT_PLAYED[page].items():
        assert reason
        assert any(command.text.startswith(start) for command in left), f"{page} has no `{start}` any more"
