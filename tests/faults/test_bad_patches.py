"""Feedback patches and files, spoilt in seeded ways: a changed charter, or an error that leaves it as it is."""

import random
from pathlib import Path
from typing import Any

import pytest
import yaml

from pipeline.charter import PATCHABLE, Charter, apply_patch, charter_from_canonical, read_charter
from pipeline.charter.advice import dotted, value_at
from pipeline.errors import CharterError
from pipeline.problems.registry import advise_problem
from pipeline.review.feedback_file import read_feedback
from tests.charter.conftest import TODAY
from tests.faults.mutating import ODD, mutated_text, mutated_values, places
from tests.faults.tally import Tally
from tests.faults.test_bad_charters import CHARTERS, CONFIGS

#: What a path may be spoilt with.
PATHS = ("", ".", "..", "[", "]", "[]", "[nobody]", "policy", "kpi.target", "people", "stages[pilot].units",
         "__class__",
         "policy.__dict__", "model.candidates[", "model.candidates[]", "policy..parameters", "a" * 5000,
         "policy.parameters.\0",
         "model.candidates[lightgbm].name", "policy.parameters." * 200, "пolicy", "[0]", "model.candidates[0]",
         " policy ")  # fmt: skip

#: Deeper than Python recurses.
DEEP: list[Any] = []
for _ in range(5000):
    DEEP = [DEEP]


def patch_of(charter: Charter, draw: random.Random) -> dict[str, Any]:
    """One to three entries: real places with other values, odd paths, sections rewritten."""
    values = charter.canonical()
    known = [path for path in places(values) if path and path[0] in PATCHABLE]
    patch: dict[str, Any] = {}
    for _ in range(draw.choice((1, 1, 2, 3))):
        path = draw.choice(known)
        text = dotted(path, values)
        way = draw.randrange(10)
        if way < 3:
            patch[text] = draw.choice(ODD)
        elif way < 6:
            patch[text] = mutated_values(value_at(values, path), draw)
        elif way < 7:
            patch[text] = value_at(values, path)
        elif way < 8:
            at = draw.randrange(len(text) + 1)
            patch[text[:at] + draw.choice(PATHS) + text[at:]] = value_at(values, path)
        elif way < 9:
            patch[draw.choice(PATHS)] = draw.choice(ODD)
        else:
            patch[text] = draw.choice((object(), {1, 2}, b"bytes", 1j, Path("x"), {("a",): 1}, 10**5000, DEEP))
    return patch


def try_all(count: int, seed: int) -> Tally:
    draw, tally = random.Random(seed), Tally("mutated feedback patches")  # noqa: S311
    charters = [read_charter(path, TODAY, advise_problem) for path in CHARTERS]
    for number in range(count):
        charter = charters[number % len(charters)]
        digest, patch = charter.digest, patch_of(charter, draw)
        try:
            changed = apply_patch(charter, patch)
        except CharterError as error:
            tally.refused += 1
            if not error.findings or not all(one.place and one.found and one.remedy for one in error.findings):
                tally.lost.append(f"{number}: {error}")
        except Exception as error:  # noqa: BLE001 - that is what is looked for
            tally.lost.append(f"{number}: {type(error).__name__}: {error!s:.100} {list(patch)!s:.200}")
        else:
            tally.accepted += 1
            kept = all(getattr(changed, name) == getattr(charter, name) for name in ("kpi", "people", "stages", "sign"))
            again = charter_from_canonical(changed.canonical()) == changed == apply_patch(changed, patch)
            if not (kept and again):
                tally.lost.append(
                    f"{number}: a patch moved what it may not, or twice is not once: {list(patch)!s:.200}"
                )
        if charter.digest != digest:
            tally.lost.append(f"{number}: the charter itself changed")
    return tally


def held(tally: Tally) -> None:
    tally.show()
    assert tally.lost == []
    assert tally.refused > tally.accepted > 0


def test_two_hundred_spoilt_patches():
    held(try_all(200, seed=3))


@pytest.mark.proof
@pytest.mark.timeout(3600)
def test_two_thousand_spoilt_patches():
    held(try_all(2000, seed=4))


def test_spoilt_feedback_files(tmp_path):
    """The items of the shipped case as the file a person brings with ``landed review sign --feedback``."""
    recorded = yaml.safe_load((CONFIGS / "replenishment" / "decisions.yaml").read_text(encoding="utf-8"))
    items = [item for review in recorded["reviews"] for one in review["sign"] for item in one.get("feedback", ())]
    text = yaml.safe_dump(items, allow_unicode=True, sort_keys=False)
    file, draw, tally = tmp_path / "feedback.yaml", random.Random(5), Tally("mutated feedback files")  # noqa: S311
    file.write_text(text, encoding="utf-8")
    assert len(read_feedback(file)) == len(items) > 1
    for number in range(300):
        file.write_bytes(mutated_text(text, draw))
        try:
            found = read_feedback(file)
        except CharterError as error:
            tally.refused += 1
            if not error.findings or not all(one.place.startswith(str(file)) and one.remedy for one in error.findings):
                tally.lost.append(f"{number}: {error}")
        except Exception as error:  # noqa: BLE001 - that is what is looked for
            tally.lost.append(f"{number}: {type(error).__name__}: {error!s:.200}")
        else:
            tally.accepted += 1
            if len(found) > len(items) + 3:
                tally.lost.append(f"{number}: {len(found)} items")
    held(tally)
