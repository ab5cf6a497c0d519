"""The shipped charters, spoilt in seeded ways: each is a valid charter or an error with places, never anything else."""

import random
import resource
from pathlib import Path

import pytest

from pipeline.charter import read_charter
from pipeline.charter.document import MAX_BYTES
from pipeline.errors import CharterError
from pipeline.problems.registry import advise_problem
from tests.charter.conftest import TODAY
from tests.faults.mutating import mutated_text
from tests.faults.tally import Tally

CONFIGS = Path(__file__).parents[2] / "configs"
CHARTERS = sorted(CONFIGS.glob("*/charter*.yaml"))
#: What reading may add to the memory of the process at most.
MOST_MEGABYTES = 300


def try_all(folder: Path, count: int, seed: int) -> Tally:
    """Spoil each shipped charter in turn and read it, its problem's own advice included."""
    draw, tally = random.Random(seed), Tally("mutated charters")  # noqa: S311
    texts = [path.read_text(encoding="utf-8") for path in CHARTERS]
    file = folder / "charter.yaml"
    for number in range(count):
        file.write_bytes(mutated_text(texts[number % len(texts)], draw))
        try:
            charter = read_charter(file, TODAY, advise_problem)
        except CharterError as error:
            tally.refused += 1
            wanting = [
                one for one in error.findings if not (one.place.startswith(str(file)) and one.found and one.remedy)
            ]
            if wanting or not error.findings:
                tally.lost.append(f"{number}: {error}")
        except Exception as error:  # noqa: BLE001 - that is what is looked for
            tally.lost.append(f"{number}: {type(error).__name__}: {error!s:.200}")
            (folder / f"lost-{number}.yaml").write_bytes(file.read_bytes())
        else:
            tally.accepted += 1
            if not charter.digest:
                tally.lost.append(f"{number}: no digest")
    return tally


def held(tally: Tally, before: int) -> None:
    tally.show()
    assert tally.lost == []
    assert tally.refused > tally.accepted > 0
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < MOST_MEGABYTES * 1024


def test_three_hundred_spoilt_charters(tmp_path):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    held(try_all(tmp_path, 300, seed=1), before)


@pytest.mark.proof
@pytest.mark.timeout(3600)
def test_ten_thousand_spoilt_charters(tmp_path):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    held(try_all(tmp_path, 10_000, seed=2), before)


@pytest.mark.parametrize(
    "bomb",
    ["[" * (MAX_BYTES - 1), "{a: " * 60_000, "- " * 100_000, "a:\n" * 80_000, "#" * MAX_BYTES, "? " * 100_000,
     pytest.param("x: [" + "a," * 120_000 + "a]", marks=pytest.mark.proof),
     pytest.param("".join(f"k{n}: {{a: b}}\n" for n in range(18_000)), marks=pytest.mark.proof),
     '"' + "\\U0001f9c0" * 26_000 + '"',
     "x: '" + "''" * 100_000 + "'", "x: |\n" + " y\n" * 80_000, "x: " + "9" * 200_000, "a: " + "." * 200_000],
    ids=lambda bomb: bomb[:6].strip(),
)  # fmt: skip
def test_large_and_deep_files_are_refused_in_bounds(tmp_path, bomb):
    """As large as a charter may be; pytest's own time limit is the bound on time."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    file = tmp_path / "charter.yaml"
    file.write_text(bomb, encoding="utf-8")
    with pytest.raises(CharterError) as refused:
        read_charter(file, TODAY, advise_problem)
    assert refused.value.findings
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < MOST_MEGABYTES * 1024
