"""LightGBM's model text, held to the form LightGBM itself writes before LightGBM reads it.

LightGBM reads its text without checks: a count that does not fit its list, a child that is no node or a line out of
place makes it write past its memory, which ends the process or worse. Here every count, index and number is looked at
first. Trees with categories or linear leaves are refused too: no candidate of Landed's has them.

The form: https://lightgbm.readthedocs.io/en/stable/C-API.html#c.LGBM_BoosterSaveModel (``version=v4``).
"""

import re
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.errors import Finding, ModelError

if TYPE_CHECKING:
    import lightgbm

_WHOLE = r"-?\d{1,15}"
_NUMBER = r"-?(?:\d{1,40}(?:\.\d{1,40})?(?:e[-+]?\d{1,3})?|inf|nan)"
_WHOLES = re.compile(rf"(?:{_WHOLE}(?: {_WHOLE})*)?")
_NUMBERS = re.compile(rf"(?:{_NUMBER}(?: {_NUMBER})*)?")
_OBJECTIVE = re.compile(rf"[a-z_\d]+(?: [a-z_]+(?::{_NUMBER})?)*")
_PARAMETER = re.compile(r"\[\w+: [-\w.,:+/ ]*\]")
_CATEGORIES = ("pandas_categorical:null", "pandas_categorical:[]")
_END = "end of trees\n"

_HEAD = ("version", "num_class", "num_tree_per_iteration", "label_index", "max_feature_idx", "objective",
         "feature_names", "feature_infos", "tree_sizes")  # fmt: skip
#: Lines that are there with some parameters only; ``average_output`` has no value.
_NOW_AND_THEN = ("average_output", "monotone_constraints")
#: The lists of a tree by their lengths: one number for each split, or for each leaf.
_OF_SPLITS = ("split_feature", "split_gain", "threshold", "decision_type", "left_child", "right_child",
              "internal_value", "internal_weight", "internal_count")  # fmt: skip
_OF_LEAVES = ("leaf_value", "leaf_weight", "leaf_count")
_TREE = ("num_leaves", "num_cat", *_OF_SPLITS[:6], *_OF_LEAVES, *_OF_SPLITS[6:], "is_linear", "shrinkage")
_WHOLE_LISTS = frozenset({"num_leaves", "num_cat", "split_feature", "decision_type", "left_child", "right_child"})
#: A tree that never splits leaves these lists of its one leaf empty.
_LEFT_OUT = frozenset({"leaf_weight", "leaf_count"})


class _MalformedError(ValueError):
    """What LightGBM would not have written."""


def read_booster(path: Path) -> "lightgbm.Booster":
    """The booster of a model text.

    Raises:
        ModelError: the file cannot be read, or is not what LightGBM writes.
    """
    import lightgbm

    try:
        text = path.read_bytes().decode()
        require_sound(text)
        return lightgbm.Booster(model_str=text)
    except (OSError, ValueError, lightgbm.basic.LightGBMError) as error:
        finding = Finding(str(path), str(error), "train the candidate again")
        raise ModelError("the model cannot be read", [finding]) from error


def require_sound(text: str) -> None:
    """Look at a whole model text.

    Raises:
        ValueError: naming the first thing that LightGBM would not have written.
    """
    head, mark, rest = text.partition("\nTree=0\n")
    trees, end, tail = (mark.removeprefix("\n") + rest).partition(_END)
    _require(bool(mark) and bool(end), "no trees between a head and `end of trees`")
    features, sizes, each = _head(head)
    starts = [found.start() for found in re.finditer(r"^Tree=", trees, re.MULTILINE)]
    parts = [trees[start:stop] for start, stop in pairwise([*starts, len(trees)])]
    _require([len(part.encode()) for part in parts] == sizes, "tree_sizes are not the sizes of the trees")
    _require(len(parts) % each == 0, f"{len(parts)} trees, of which {each} belong together")
    for number, part in enumerate(parts):
        _tree(number, part, features)
    _tail(tail)


def _require(holds: bool, found: str) -> None:  # noqa: FBT001 - reads as a sentence
    if not holds:
        raise _MalformedError(found)


def _pairs(lines: list[str], where: str) -> dict[str, str]:
    pairs = [line.partition("=")[::2] for line in lines]
    _require(len(dict(pairs)) == len(pairs), f"{where}: a line twice")
    return dict(pairs)


def _head(text: str) -> tuple[int, list[int], int]:
    """Number of features, sizes of the trees in bytes, trees of one iteration."""
    lines = text.rstrip("\n").split("\n")
    _require(lines[:2] == ["tree", "version=v4"], "it does not begin with `tree` and `version=v4`")
    given = _pairs(lines[1:], "head")
    _require(
        [name for name in given if name not in _NOW_AND_THEN] == list(_HEAD), f"the head is not {', '.join(_HEAD)}"
    )
    classes, each, label, last = (_whole(given, name) for name in _HEAD[1:5])
    features = len(given["feature_names"].split(" "))
    _require(0 < classes == each < 10_000, f"num_class {classes}, num_tree_per_iteration {each}")
    _require(label == 0, f"label_index {label}")
    _require(
        last == features - 1 == len(given["feature_infos"].split(" ")) - 1,
        f"{features} features, max_feature_idx {last}",
    )
    _require(_OBJECTIVE.fullmatch(given["objective"]) is not None, f"objective {given['objective']!r:.60}")
    told = re.search(r" num_class:(\S+)", given["objective"])
    _require((told[1] if told else "1") == str(classes), f"objective {given['objective']!r:.60}, num_class {classes}")
    _require(not given.get("average_output"), "average_output has a value")
    constraints = given.get("monotone_constraints")
    _require(constraints is None or len(_list(constraints, _WHOLES)) == features, "monotone_constraints")
    return features, [int(size) for size in _list(given["tree_sizes"], _WHOLES)], each


def _whole(given: dict[str, str], name: str) -> int:
    _require(re.fullmatch(_WHOLE, given[name]) is not None, f"{name} {given[name]!r:.40} is no whole number")
    return int(given[name])


def _list(text: str, form: re.Pattern[str]) -> list[str]:
    _require(form.fullmatch(text) is not None, f"{text!r:.60} are no numbers")
    return text.split(" ") if text else []


def _tree(number: int, text: str, features: int) -> None:
    where = f"Tree={number}"
    lines = text.rstrip("\n").split("\n")
    _require(lines[0] == where, f"{lines[0]!r:.40} where {where} is to stand")
    given = _pairs(lines[1:], where)
    _require(tuple(given) == _TREE, f"{where}: its lines are not {', '.join(_TREE)}")
    lists = {name: _list(given[name], _WHOLES if name in _WHOLE_LISTS else _NUMBERS) for name in _TREE}
    leaves, categories = _whole(given, "num_leaves"), _whole(given, "num_cat")
    _require(
        leaves >= 1 and categories == 0 and given["is_linear"] == "0",
        f"{where}: leaves {leaves}, or of a kind not in use",
    )
    _require(len(lists["shrinkage"]) == 1, f"{where}: shrinkage")
    for names, length in ((_OF_SPLITS, leaves - 1), (_OF_LEAVES, leaves)):
        for name in names:
            found = len(lists[name])
            _require(
                found == length or (leaves == 1 and name in _LEFT_OUT),
                f"{where}: {found} numbers of {name}, not {length}",
            )
    _require(
        all(0 <= int(one) < features for one in lists["split_feature"]), f"{where}: a split by no feature there is"
    )
    # No categories: the lowest bit is theirs.
    _require(all(0 <= int(one) < 16 and not int(one) & 1 for one in lists["decision_type"]), f"{where}: decision_type")
    children = sorted(int(one) for one in lists["left_child"] + lists["right_child"])
    whole = [*range(-leaves, 0), *range(1, leaves - 1)] if leaves > 1 else []
    _require(children == whole, f"{where}: its children are not each split and each leaf once")


def _tail(text: str) -> None:
    """Importances, parameters and pandas' categories; parameters may be left out."""
    parts = [part for part in re.split(r"\n{2,}|(?<=:)\n", text.strip("\n")) if part]
    allowed = {"feature_importances:", "parameters:", "end of parameters", *_CATEGORIES}
    for line in (line for part in parts for line in part.split("\n")):
        importance = re.fullmatch(r"\S+=\d{1,15}", line)
        _require(
            line in allowed or bool(importance or _PARAMETER.fullmatch(line)), f"the line {line!r:.60} after the trees"
        )
    _require(text.count("\nparameters:\n") == text.count("\nend of parameters\n") <= 1, "parameters without an end")
