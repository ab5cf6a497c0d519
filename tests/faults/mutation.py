"""Mutation testing of the rooms that decide: ledger, review, rollout and the gates.

``make mutation`` lets mutmut (in an environment of its own, ``.venv-mutation``) spoil the code in thousands of ways,
draws a seeded sample of them, enough of each room to judge it by, and runs the tests of these rooms against each. A
mutant that only changes a sentence for people (a text with a space in it) is none here: no test repeats our wording.
Where time was up, the tests run once more, one mutant at a time and with more of it, so that a busy machine kills none.
What the tests let through is put to the type checker, which is part of ``make check``; what that lets through too has
survived, and is listed.
"""

import argparse
import ast
import json
import math
import os
import random
import re
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from tests.faults.killing import written

ROOT = Path(__file__).parents[2]
HOME = ROOT / ".venv-mutation"
TREE = HOME / "tree"
MUTMUT = "mutmut==3.8.1"
ROOMS = ("ledger", "review", "rollout", "evaluation/gates")
#: Exit codes by which mutmut tells that no test failed, none was chosen, or none meets the mutant.
_SURVIVED = {0, 5, 33}
#: Those by which it tells that time was up: a multiple of what the tests take, by the clock or by the processor.
_LATE = {36, 24, -24, 152, 255}

#: What needs a server, or a process of its own in which no mutant would be at work.
_LEFT_OUT = ["postgresql", "processes", "killed", "racing", "together", "test_migrations", "import"]
_SETUP = """[mutmut]
source_paths=
    src
only_mutate=
    src/pipeline/ledger/*.py
    src/pipeline/review/*.py
    src/pipeline/rollout/*.py
    src/pipeline/evaluation/gates.py
do_not_mutate=
    */migrations/*
also_copy=
    flows
    configs
pytest_add_cli_args=
    -m
    not proof and not slow
    -k
    {chosen}
    -p
    no:cacheprovider
pytest_add_cli_args_test_selection=
    tests/ledger
    tests/review
    tests/rollout
    tests/evaluation/test_gates.py
    tests/backups
use_git_change_detection=false
track_dependencies=false
timeout_multiplier={patience}
"""
#: How many times as long as unspoilt code a mutant may take: at first, and alone, where it took longer.
PATIENCE, ALONE = 15, 60


@dataclass(frozen=True)
class Mutant:
    """One way the code was spoilt: its name at mutmut's, the file, and the functions' sources before and after."""

    name: str
    file: Path
    before: ast.FunctionDef
    after: ast.FunctionDef

    @property
    def only_words(self) -> bool:
        """Whether nothing but a sentence changed."""
        return _wordless(self.before) == _wordless(self.after)


def _wordless(function: ast.FunctionDef) -> str:
    class Blank(ast.NodeTransformer):
        def visit_Constant(self, node: ast.Constant) -> ast.Constant:
            spoken = isinstance(node.value, str) and " " in node.value
            return ast.Constant("…") if spoken else node

    body = ast.parse(ast.unparse(function)).body[0]
    body.name = ""  # type: ignore[attr-defined]
    return ast.dump(Blank().visit(body))


@cache
def _functions(file: Path) -> dict[str, ast.FunctionDef]:
    tree = ast.parse((TREE / "mutants" / file).read_text(encoding="utf-8"))
    return {node.name: node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}


def mutants() -> list[Mutant]:
    """All that mutmut made, in a fixed order, but for those that change words alone."""
    found = []
    for meta in sorted((TREE / "mutants" / "src").rglob("*.meta")):
        file = meta.relative_to(TREE / "mutants").with_suffix("")
        for name in sorted(json.loads(meta.read_text())["exit_code_by_key"]):
            last = name.rpartition(".")[2]
            functions = _functions(file)
            before = functions[f"{last.rpartition('__mutmut_')[0]}__mutmut_orig"]
            found.append(Mutant(name, file, before, functions[last]))
    return [mutant for mutant in found if not mutant.only_words]


def results(names: Iterable[str]) -> dict[str, int | None]:
    """Exit code of the tests per mutant."""
    codes: dict[str, int | None] = {}
    for meta in (TREE / "mutants" / "src").rglob("*.meta"):
        codes |= json.loads(meta.read_text())["exit_code_by_key"]
    return {name: codes[name] for name in names}


def room_of(mutant: Mutant) -> str:
    """The one of ``ROOMS`` it is in."""
    return next(room for room in ROOMS if f"pipeline/{room}" in str(mutant.file))


def drawn(everything: list[Mutant], size: int, floor: int, seed: int) -> list[Mutant]:
    """So many of all, 0 for each of them, and then of each room what it lacks to ``floor``."""
    chance = random.Random(seed)  # noqa: S311 - a seeded sample
    sample = chance.sample(everything, min(size or len(everything), len(everything)))
    for room in ROOMS:
        there = sum(room_of(one) == room for one in sample)
        others = [one for one in everything if room_of(one) == room and one not in sample]
        sample += chance.sample(others, min(max(floor - there, 0), len(others)))
    return sample


def set_up() -> None:
    """The environment, and a copy of the sources that mutmut may spoil."""
    python = HOME / "bin" / "python"
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", HOME], check=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", MUTMUT], check=True)
        borrowed = [path for path in sys.path if path.endswith("site-packages")]
        place = next((HOME / "lib").glob("python*/site-packages"))
        (place / "zz_borrowed.pth").write_text("\n".join(borrowed) + "\n")
    TREE.mkdir(parents=True, exist_ok=True)
    for name in ("src", "flows", "configs", "tests"):
        # Times are kept: mutmut makes mutants of a changed file only.
        shutil.copytree(ROOT / name, TREE / name, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", TREE)


def run(names: list[str], *, alone: bool = False) -> None:
    """Let mutmut run the tests against these mutants; without any, make them and learn which test meets which.

    Args:
        names: of the mutants.
        alone: one at a time, with more time for each.
    """
    chosen = " and ".join(f"not {name}" for name in _LEFT_OUT)
    (TREE / "setup.cfg").write_text(_SETUP.format(chosen=chosen, patience=ALONE if alone else PATIENCE))
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    command = [HOME / "bin" / "mutmut", "run", *(names or ["pipeline.ledger.chain.x_digest__mutmut_1"])]
    command += ["--max-children", "1"] if alone else []
    done = subprocess.run(command, cwd=TREE, env=environment, stdout=subprocess.PIPE, text=True, errors="replace")
    if done.returncode:
        raise SystemExit(f"mutmut failed:\n{done.stdout[-3000:]}")


def refused_by_types(left: list[Mutant]) -> set[str]:
    """Names of those that mypy, as ``make check`` calls it, refuses in the place of their function."""
    refused, waiting = set[str](), list(left)
    while waiting:
        # One a file and run: a mutant changes the inside of a function, so that errors stay in its file.
        batch = {mutant.file: mutant for mutant in waiting}
        waiting = [mutant for mutant in waiting if mutant is not batch[mutant.file]]
        whole = {file: (TREE / file).read_text(encoding="utf-8") for file in batch}
        try:
            for file, mutant in batch.items():
                (TREE / file).write_text(_with(mutant, whole[file]), encoding="utf-8")
            command = [Path(sys.executable).with_name("mypy"), "--cache-dir", HOME / "mypy"]
            said = subprocess.run(command, cwd=TREE, stdout=subprocess.PIPE, text=True).stdout
        finally:
            for file, text in whole.items():
                (TREE / file).write_text(text, encoding="utf-8")
        refused |= {mutant.name for file, mutant in batch.items() if re.search(rf"^{file}:\d+: error", said, re.M)}
    return refused


def _with(mutant: Mutant, whole: str) -> str:
    """A file's text with the mutant in the place of its function."""
    name = mutant.before.name.removesuffix("__mutmut_orig").rpartition("ǁ")[2].removeprefix("x_")
    wanted = _named(mutant.before, name)
    found = [node for node in ast.walk(ast.parse(whole)) if isinstance(node, ast.FunctionDef) and node.name == name]
    function, lines = next(node for node in found if ast.unparse(node) == wanted), whole.splitlines()
    fresh = [" " * function.col_offset + line for line in _named(mutant.after, name).splitlines()]
    return "\n".join([*lines[: function.lineno - 1], *fresh, *lines[function.end_lineno :]]) + "\n"


def _named(function: ast.FunctionDef, name: str) -> str:
    copy = ast.parse(ast.unparse(function)).body[0]
    copy.name = name  # type: ignore[attr-defined]
    return ast.unparse(copy)


def interval(killed: int, tried: int) -> tuple[float, float]:
    """Wilson's 95 % interval of a share."""
    share, z = killed / tried, 1.959964
    middle, spread = share + z * z / (2 * tried), z * math.sqrt(share * (1 - share) / tried + (z / (2 * tried)) ** 2)
    return (middle - spread) / (1 + z * z / tried), (middle + spread) / (1 + z * z / tried)


def told(sample: list[Mutant], everything: list[Mutant], codes: dict[str, int | None], typed: set[str]) -> str:
    """The table, and the survivors below it."""
    left = [one for one in sample if codes[one.name] in _SURVIVED and one.name not in typed]
    weights, tried, survived = (Counter(map(room_of, some)) for some in (everything, sample, left))
    by_types = Counter(room_of(one) for one in sample if one.name in typed)
    late = Counter(room_of(one) for one in sample if codes[one.name] in _LATE)
    rows = []
    for room in ROOMS:
        killed = tried[room] - survived[room]
        by_tests = killed - by_types[room] - late[room]
        share = _shown(killed / tried[room], *interval(killed, tried[room]))
        rows.append((room, weights[room], tried[room], by_tests, late[room], by_types[room], survived[room], share))
    # A room's share counts by its mutants, however many of them were drawn.
    shares = {room: 1 - survived[room] / tried[room] for room in ROOMS}
    mean = sum(weights[room] * share for room, share in shares.items()) / len(everything)
    terms = (weights[room] ** 2 * share * (1 - share) / tried[room] for room, share in shares.items())
    spread = 1.959964 * math.sqrt(sum(terms)) / len(everything)
    sums = [sum(column) for column in zip(*(row[1:-1] for row in rows), strict=True)]
    rows.append(("all, weighted", *sums, _shown(mean, mean - spread, min(mean + spread, 1.0))))
    names = (
        "room | mutants | tried | killed by tests | never ended | refused by types | survived | killed (95 % interval)"
    )
    table = [f"| {names} |", "|" + " --- |" * 8, *(f"| {' | '.join(map(str, cells))} |" for cells in rows)]
    lines = [f"- `{one.name.removeprefix('pipeline.')}`" for one in left]
    return "\n".join([*table, "", "The survivors, each shown by `mutmut show`:", "", *lines])


def _shown(share: float, low: float, high: float) -> str:
    return f"{share:.1%} ({low:.1%} to {high:.1%})"


def main() -> None:
    """Draw, run, and print or write the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", type=int, default=300, help="mutants to try; 0 for all of them, which takes a night")
    parser.add_argument("--floor", type=int, default=60, help="mutants of each room to try, at the least")
    parser.add_argument("--seed", type=int, default=20261)
    parser.add_argument("--left", action="store_true", help="try again only what survived the tests at the last run")
    parser.add_argument("--write", type=Path, help="Markdown file to put the table into")
    asked = parser.parse_args()
    set_up()
    run([])
    everything = mutants()
    sample = drawn(everything, asked.size, asked.floor, asked.seed)
    before = results(one.name for one in sample)
    run([one.name for one in sample if not asked.left or before[one.name] in {None, *_SURVIVED}])
    codes = results(one.name for one in sample)
    if None in codes.values():  # what changed since, where only some were tried again
        run([name for name, code in codes.items() if code is None])
        codes = results(codes)
    if late := [name for name, code in codes.items() if code in _LATE]:
        run(late, alone=True)
        codes = results(codes)
    typed = refused_by_types([one for one in sample if codes[one.name] in _SURVIVED])
    table = told(sample, everything, codes, typed)
    sys.stdout.write(f"{table}\n")
    if asked.write:
        written(asked.write, "mutants", table)


if __name__ == "__main__":
    main()
