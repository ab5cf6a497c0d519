"""Nothing that Landed reads is run: what the code calls, what entry points load, what model and YAML files can do."""

import ast
import json
import multiprocessing
import random
from contextlib import suppress
from importlib.metadata import EntryPoint
from pathlib import Path

import numpy as np
import pytest

from pipeline.charter import read_charter
from pipeline.compliance.library import read_library
from pipeline.errors import CharterError, ModelError
from pipeline.models.boosters import read_booster, require_sound
from pipeline.problems import registry, starting
from pipeline.replenishment.forecast import LightGBMForecaster
from pipeline.review.feedback_file import read_feedback
from pipeline.review.recorded import read_recorded
from pipeline.service_desk.prediction import Predictor
from pipeline.tabular.learning import Learner
from tests.charter.conftest import TODAY
from tests.faults.tally import Tally

ROOT = Path(__file__).parents[2]
SOURCES = sorted([*(ROOT / "src" / "pipeline").rglob("*.py"), *(ROOT / "flows").rglob("*.py")])

#: Modules whose reading runs what was written, or whose only use is to run text.
NEVER_IMPORTED = frozenset(
    {"pickle", "cPickle", "_pickle", "joblib", "dill", "cloudpickle", "shelve", "marshal", "code", "codeop", "commands",
     "pty", "runpy", "imp"}
)  # fmt: skip
#: Calls that run text, whatever object they are called on; builtins by their bare name.
NEVER_CALLED = frozenset({"eval", "exec", "compile", "__import__", "breakpoint"})
NEVER_CALLED_ON = {
    "os": {"system", "popen", "execl", "execle", "execlp", "execv", "execve", "execvp", "execvpe", "spawnl", "spawnv"},
    "yaml": {"load", "load_all", "full_load", "full_load_all", "unsafe_load", "unsafe_load_all"},
    "pd": {"read_pickle", "eval"},
    "np": {"fromregex", "loadtxt", "genfromtxt"},
    "subprocess": {"getoutput", "getstatusoutput"},
}
#: Methods that run an expression on a frame, or unpickle.
NEVER_METHODS = frozenset({"read_pickle", "to_pickle", "unsafe_load"})
#: The places that start a program: lists of words of our own, never through a shell.
STARTERS = {"stack/keeper.py", "stack/supervisor.py", "stack/processes.py", "server.py"}
#: The places that format a template that is not written out at the call. Both hold sentences of the code, not of a
#: charter: a `Message` has the template it was said with, a remedy stands in the table above its use.
FORMATTERS = {"addresses.py", "language/message.py", "language/translator.py"}
#: The places that import by name: a fixed tuple of our own modules.
IMPORTERS = {"warming.py"}


def named(path: Path) -> str:
    return path.relative_to(ROOT / ("flows" if path.is_relative_to(ROOT / "flows") else "src/pipeline")).as_posix()


def calls(tree: ast.AST) -> list[ast.Call]:
    return [node for node in ast.walk(tree) if isinstance(node, ast.Call)]


def forbidden(tree: ast.AST, place: str) -> list[str]:
    """Everything a source does that it may not, as lines."""
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            names = [alias.name for alias in node.names]
            origin = [node.module or ""] if isinstance(node, ast.ImportFrom) else names
            found += [f"{node.lineno}: imports {one}" for one in origin if one.split(".")[0] in NEVER_IMPORTED]
            if origin in (["os"], ["yaml"], ["subprocess"]) and isinstance(node, ast.ImportFrom):
                barred = NEVER_CALLED_ON[origin[0]] & set(names)
                found += [f"{node.lineno}: imports {origin[0]}.{one}" for one in sorted(barred)]
            if "import_module" in names and place not in IMPORTERS:
                found.append(f"{node.lineno}: imports by name")
    for call in calls(tree):
        found += [f"{call.lineno}: {one}" for one in _of_call(call, place)]
    return found


def _of_call(call: ast.Call, place: str) -> list[str]:
    found, at = [], call.func
    words = {keyword.arg: keyword.value for keyword in call.keywords}
    if isinstance(at, ast.Name) and at.id in NEVER_CALLED:
        found.append(f"calls {at.id}")
    if isinstance(at, ast.Attribute):
        on = at.value.id if isinstance(at.value, ast.Name) else ""
        if at.attr in NEVER_CALLED_ON.get(on, ()) or at.attr in NEVER_METHODS:
            found.append(f"calls {on}.{at.attr}")
        if on == "subprocess" and place not in STARTERS:
            found.append("starts a program")
        if on in {"np", "numpy"} and at.attr == "load" and not _is(words.get("allow_pickle"), False):
            found.append("np.load without allow_pickle=False")
        if at.attr in {"format", "format_map"} and not _written_out(at.value) and place not in FORMATTERS:
            found.append(f"{at.attr} of what is not written out there")
    if "shell" in words and not _is(words["shell"], False):
        found.append("shell")
    if _is(words.get("allow_pickle"), True):
        found.append("allow_pickle")
    return found


def _is(node: ast.AST | None, value: object) -> bool:
    return isinstance(node, ast.Constant) and node.value is value


def _written_out(node: ast.AST) -> bool:
    """A literal, or ``Markup`` of one, which escapes what is put in."""
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Markup":
        node = node.args[0]
    return isinstance(node, ast.Constant) and isinstance(node.value, str)


def test_the_code_calls_nothing_that_runs_text():
    assert len(SOURCES) > 250
    found = [f"{named(path)}:{line}" for path in SOURCES
             for line in forbidden(ast.parse(path.read_text(encoding="utf-8")), named(path))]  # fmt: skip
    assert found == []


@pytest.mark.parametrize(
    "text",
    ["import pickle", "from joblib import load", "eval('1')", "exec(text)", "yaml.load(text)", "from yaml import load",
     "yaml.load(text, Loader=yaml.SafeLoader)", "os.system(words)", "subprocess.run(words)", "run(words, shell=True)",
     "run(words, shell=flag)", "np.load(path)", "np.load(path, allow_pickle=True)", "pd.read_pickle(path)",
     "charter.title.format(settings=settings)", "title.format_map(values)", "from importlib import import_module",
     "__import__(name)"],
)  # fmt: skip
def test_the_check_sees_what_it_is_there_for(text):
    assert forbidden(ast.parse(text), "anywhere.py")


def test_templates_come_from_files_of_ours_never_from_text():
    """Jinja2 runs what a template says: one place makes it of a text, which is a file of the package."""
    found = [f"{named(path)}:{call.lineno}" for path in SOURCES for call in calls(ast.parse(path.read_text("utf-8")))
             if getattr(call.func, "attr", getattr(call.func, "id", "")) in {"from_string", "Template"}]  # fmt: skip
    assert [one.partition(":")[0] for one in found] == ["tabular/starting/project.py"]


class Trap(EntryPoint):
    """An entry point that says when it is loaded."""

    def load(self):
        raise AssertionError(f"{self.name} was loaded")


def test_entry_points_are_told_by_name_before_any_is_loaded(monkeypatch):
    traps = tuple(
        Trap(name, "evil:Run", group) for group in (registry.GROUP, starting.GROUP) for name in ("evil", "worse")
    )
    monkeypatch.setattr(registry, "_offered", registry._offered.__wrapped__)
    monkeypatch.setattr(registry, "entry_points", lambda group: traps)
    monkeypatch.setattr(starting, "entry_points", lambda group: traps)
    for find in (registry.find, starting.find_starter):
        with pytest.raises(CharterError, match="write one of: evil, worse"):
            find("good")
        with pytest.raises(AssertionError, match="evil was loaded"):
            find("evil")


def test_a_starter_that_cannot_be_loaded_is_told_with_its_entry_point(monkeypatch):
    broken = EntryPoint("broken", "no.such.module:Starter", starting.GROUP)
    monkeypatch.setattr(starting, "entry_points", lambda group: (broken,))
    with pytest.raises(CharterError, match=r"--problem broken, entry point no\.such\.module:Starter"):
        starting.find_starter("broken")


# -- model files --


@pytest.fixture(scope="module")
def sound() -> str:
    """A model text as LightGBM writes it: five trees, one of them of a single leaf."""
    import lightgbm

    draw = np.random.default_rng(3)
    rows = draw.normal(size=(200, 3))
    settings = {"verbose": -1, "num_leaves": 5, "num_threads": 1, "seed": 1}
    return lightgbm.train(settings, lightgbm.Dataset(rows, rows[:, 0] + rows[:, 1]), 5).model_to_string()


def spoilt(text: str, draw: random.Random) -> str:
    """The text with one line gone, doubled, moved, cut, or other than it was."""
    lines = text.split("\n")
    at = draw.randrange(len(lines))
    line = lines[at]
    ways = {
        "gone": [], "doubled": [line, line], "cut": [line[: draw.randrange(len(line) + 1)]],
        "huge": [line.replace("1", "99999999", 1)], "negative": [line.replace("=", "=-", 1)],
        "longer": [f"{line} 1 1 1"], "code": ["__import__('os').system('true')"],
        "empty": [line.partition("=")[0] + "="], "null": [f"{line}\0"], "text": [line.replace("=", "=x", 1)],
    }  # fmt: skip
    way = draw.choice([*ways, "end"])
    if way == "end":
        return "\n".join(lines[:at])
    return "\n".join([*lines[:at], *ways[way], *lines[at + 1 :]])


def _predicts(texts: list[str]) -> None:
    """In a process of its own: LightGBM ends the process on what it cannot read."""
    import lightgbm

    for text in texts:
        with suppress(lightgbm.basic.LightGBMError):
            lightgbm.Booster(model_str=text).predict(np.zeros((2, 3)), num_threads=1)


def test_no_spoilt_model_reaches_lightgbm_and_ends_the_process(sound):
    """LightGBM alone died on twenty of the first sixty such texts, by `abort` or a segmentation fault."""
    require_sound(sound)
    draw = random.Random(10)  # noqa: S311
    tally, taken = Tally("model texts"), set()
    for _ in range(2000):
        text = spoilt(sound, draw)
        try:
            require_sound(text)
        except ValueError:
            tally.refused += 1
        else:
            tally.accepted += 1
            taken.add(text)
    child = multiprocessing.get_context("spawn").Process(target=_predicts, args=(sorted(taken),))
    child.start()
    child.join(200)
    if child.exitcode != 0:
        tally.lost.append(f"the process ended with {child.exitcode}")
    tally.show()
    assert not tally.lost
    assert tally.refused > 1000
    assert sound in taken


@pytest.mark.parametrize("kind", ["linear", "categories", "not text", "pickle", "nothing"])
def test_other_models_are_refused_with_their_place(sound, tmp_path, kind):
    file = tmp_path / "model.txt"
    content = {
        "linear": sound.replace("is_linear=0", "is_linear=1").encode(),
        "categories": sound.replace("num_cat=0", "num_cat=1").encode(),
        "not text": b"\xff\xfe" + sound.encode(), "pickle": b"cos\nsystem\n(S'true'\ntR.", "nothing": b"",
    }[kind]  # fmt: skip
    file.write_bytes(content)
    with pytest.raises(ModelError) as refused:
        read_booster(file)
    (finding,) = refused.value.findings
    assert finding.place == str(file)
    assert finding.remedy == "train the candidate again"


@pytest.mark.parametrize("model", [LightGBMForecaster, Learner, Predictor])
@pytest.mark.parametrize(
    "meta",
    ["[" * 100_000, "[]", "null", "{}",
     '{"parameters": {"__class__": 1}}', '"text"', '{"classes": {}, "weights": null}',
     '{"py/object": "os.system", "py/reduce": ["true"]}', "cos\nsystem\n(S'true'\ntR."],
)  # fmt: skip
def test_hostile_words_beside_a_model_are_an_error(model, meta, tmp_path):
    (tmp_path / "model.json").write_text(meta, encoding="utf-8")
    (tmp_path / "model.txt").write_text("import os", encoding="utf-8")
    with pytest.raises(ModelError) as refused:
        model.load(tmp_path)
    assert str(tmp_path) in refused.value.findings[0].place


def test_a_model_names_no_file_but_its_own(sound, tmp_path):
    (tmp_path / "elsewhere.txt").write_text(sound, encoding="utf-8")
    part = {"file": "../elsewhere.txt", "level": 0}
    meta = {"groups": [], "names": [], "hours": part, "urgency": part, "smear": 1, "mean_urgency": 1, "rows": 1}
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "model.json").write_text(json.dumps(meta), encoding="utf-8")
    with pytest.raises(ModelError, match=r"'\.\./elsewhere\.txt' is no file of this model"):
        Predictor.load(tmp_path / "model")


# -- YAML --

READERS = {
    "charter": lambda path: read_charter(path, TODAY),
    "decisions": read_recorded,
    "feedback": read_feedback,
    "controls": lambda path: read_library((path,), ()),
}
SHIPPED = {
    "charter": ROOT / "configs" / "replenishment" / "charter.yaml",
    "decisions": ROOT / "configs" / "replenishment" / "decisions.yaml",
    "controls": ROOT / "configs" / "controls" / "baseline.yaml",
}
TAGS = [
    "!!python/object/apply:pathlib.Path.touch [{made}]", "!!python/object/new:os.system [touch {made}]",
    "!!python/name:os.system", "!!python/module:os", "!!python/object:pathlib.Path {{}}", "!!binary aGk=",
    "!<tag:yaml.org,2002:python/object/apply:os.system> [touch {made}]", "!include /etc/passwd", "!!set {{a, b}}",
    "!!timestamp 2026-01-01",
]  # fmt: skip


@pytest.mark.parametrize("tag", TAGS)
@pytest.mark.parametrize("reader", READERS)
def test_tags_that_build_objects_are_refused_with_line_and_remedy(reader, tag, tmp_path):
    """As a value of its own, and at the end of the real file."""
    made = tmp_path / "made"
    hostile = tag.format(made=made)
    before = SHIPPED[reader].read_text(encoding="utf-8") if reader in SHIPPED else "- kind: gap\n"
    added = f"- place: {hostile}\n" if reader == "feedback" else f"hostile: {hostile}\n"
    file = tmp_path / f"{reader}.yaml"
    for text, line in ((f"{hostile}\n", 1), (before + added, before.count("\n") + 1)):
        file.write_text(text, encoding="utf-8")
        with pytest.raises(CharterError) as refused:
            READERS[reader](file)
        told = [one for one in refused.value.findings if one.place.split(" ")[0] == f"{file}:{line}"]
        assert any("the tag `" in one.found and "without a tag" in one.remedy for one in told), refused.value
    assert not made.exists()


@pytest.mark.parametrize("reader", READERS)
def test_a_file_without_end_is_not_read_to_its_end(reader, tmp_path):
    file = tmp_path / "large.yaml"
    with file.open("wb") as large:
        large.truncate(20_000_000_000)
    with pytest.raises(CharterError, match="more than 262,144 bytes"):
        READERS[reader](file)
