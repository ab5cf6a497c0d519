"""The pages of reference: charter, command line and settings, as their own types tell about themselves.

``python -m pipeline.cli.reference`` writes them, and the picture of the architecture, into ``docs`` beside this
package; ``make docs`` does so, and a test fails while one lies behind what it tells of.
"""

import inspect
from collections.abc import Iterator, Sequence
from datetime import date
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import typer
import yaml
from pydantic import SecretStr, TypeAdapter
from pydantic.fields import FieldInfo
from typer.core import TyperGroup

from pipeline.charter.schema import charter_schema
from pipeline.charter.words import PersonId, Slug
from pipeline.cli import app
from pipeline.cli.app import INTERRUPTED
from pipeline.cli.rooms import domains, picture, rows
from pipeline.errors import LandedError
from pipeline.settings import Settings

Schema = dict[str, Any]

_PLAIN = {"string": "text", "integer": "whole number", "number": "number", "boolean": "true or false"}
#: What JSON Schema calls a bound, in words.
_BOUNDS = {
    "minimum": ("≥ ", ""),
    "exclusiveMinimum": ("> ", ""),
    "maximum": ("≤ ", ""),
    "exclusiveMaximum": ("< ", ""),
    "minLength": ("", " characters or more"),
    "maxLength": ("", " characters or fewer"),
    "minItems": ("", " or more"),
    "pattern": ("as `", "`"),
}
#: What YAML writes after a single value.
_END = "...\n"
#: The patterns that have a name.
_NAMED = {TypeAdapter(kind).json_schema()["pattern"]: name for name, kind in (("name", Slug), ("id", PersonId))}


def pages(root: Path) -> dict[str, str]:
    """Path below ``docs`` and text of everything that is generated.

    Args:
        root: folder of the project.
    """
    project = root / "pyproject.toml"
    return {
        "reference/charter.md": charter(),
        "reference/cli.md": command_line(),
        "reference/settings.md": settings(),
        "images/rooms.svg": picture(rows(project), domains(project)),
    }


def _head(title: str, source: str) -> str:
    return f"# {title}\n\n<!-- written by `make docs` from {source}; changes here are lost -->\n\n"


def charter() -> str:
    """The charter's sections in their order, each with its fields."""
    schema = charter_schema()
    named = "; ".join(f"*{name}* is a text as `{pattern}`" for pattern, name in _NAMED.items())
    intro = (
        f"{schema['description']} **Required** keys must be there, the others take their default; keys that are not "
        f"listed are refused. In the tables, {named}.\n\n"
        "`configs/replenishment/charter.yaml` is a whole charter with every line explained. An editor completes keys "
        "from `configs/charter.schema.json`; `landed check` names every fault with line and remedy.\n"
    )
    parts = _sections(schema, schema["$defs"], "")
    return _head("The charter", "the models in `pipeline.charter`") + "\n".join([intro, *parts])


def _sections(schema: Schema, definitions: Schema, path: str) -> Iterator[str]:
    fields = schema["properties"]
    if path:
        yield f"## `{path}`\n\n{schema['description']}\n"
    required = schema.get("required", ())
    yield _table(
        ("key", "type", "default", "meaning"),
        [_field(name, one, path, needed=name in required) for name, one in fields.items()],
    )
    for name, one in fields.items():
        for part in _parts(one):
            yield from _sections(definitions[part], definitions, _below(path, name, one))


def _field(name: str, one: Schema, path: str, *, needed: bool) -> tuple[str, ...]:
    kind = _kind(one).replace("section", f"[section](#{_anchor(_below(path, name, one))})")
    examples = [] if _parts(one) else one.get("examples", [])
    if one.get("format") == "date":
        examples = [date.fromisoformat(example) for example in examples]
    meaning = "; ".join([one["description"], *(f"such as {_as_yaml(example)}" for example in examples[:1])])
    return f"`{name}`", kind, "**required**" if needed else _default(one), meaning


def _kind(one: Schema) -> str:
    """What may be written, in words, with its bounds."""
    if "$ref" in one:
        return "section"
    if "anyOf" in one:
        return " or ".join(_kind(choice) for choice in one["anyOf"] if choice.get("type") != "null")
    if "enum" in one:
        return ", ".join(f"`{value}`" for value in one["enum"])
    if one.get("pattern") in _NAMED:
        return _NAMED[one["pattern"]]
    bounds = [
        f"{before}{one[key]}{after}"
        for key, (before, after) in _BOUNDS.items()
        if key in one and (key, one[key]) != ("minLength", 1)
    ]
    if one["type"] == "array":
        kind = f"list of: {_kind(one['items'])}"
    elif one["type"] == "object":
        kind = f"name → {_kind(_values(one))}"
    else:
        kind = "date" if one.get("format") == "date" else _PLAIN[one["type"]]
    return ", ".join([kind, *bounds])


def _values(mapping: Schema) -> Schema:
    """The schema of a mapping's values, whatever its keys must look like."""
    if "patternProperties" in mapping:
        return next(iter(mapping["patternProperties"].values()))
    return mapping["additionalProperties"]  # type: ignore[no-any-return]


def _parts(one: Schema) -> list[str]:
    """The names of the sections that stand in a field."""
    if "$ref" in one:
        return [one["$ref"].split("/")[-1]]
    inner = [*one.get("anyOf", ()), *([one["items"]] if "items" in one else [])]
    return [part for choice in inner for part in _parts(choice)]


def _below(path: str, name: str, one: Schema) -> str:
    return f"{path}.{name}".lstrip(".") + ("[]" if one.get("type") == "array" else "")


def _anchor(heading: str) -> str:
    return heading.replace(".", "").replace("[]", "").lower()


def _default(one: Schema) -> str:
    value = one.get("default")
    # A section's default is that of its fields.
    return "–" if value in (None, [], {}) or _parts(one) else _as_yaml(value)


def _as_yaml(value: Any) -> str:
    text = yaml.safe_dump(value, default_flow_style=True, allow_unicode=True, sort_keys=False, width=1000)
    return f"`{text.removesuffix(_END).strip()}`"


def command_line() -> str:
    """Every command with its arguments and options, and the exit codes."""
    root = typer.main.get_command(app)
    parts = [part for words, command in _commands(root, ()) for part in _command(words, command)]
    intro = (
        "Every command, argument and option; `landed COMMAND --help` says the same. What holds for all of them (JSON, "
        "completion, logs) is told in [The command line](../cli.md).\n"
    )
    return _head("Commands", "the commands in `pipeline.cli`") + "\n".join(
        [intro, *parts, "## Exit codes\n", exit_codes()]
    )


def _commands(command: Any, words: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Any]]:
    if isinstance(command, TyperGroup):
        for name, one in command.commands.items():
            yield from _commands(one, (*words, name))
    else:
        yield words, command


def _command(words: tuple[str, ...], command: Any) -> Iterator[str]:
    name = " ".join(("landed", *words))
    context = command.make_context(name, [], resilient_parsing=True)
    arguments = [param for param in command.params if param.param_type_name == "argument"]
    usage = " ".join([name, *(_argument(param) for param in arguments), "[OPTIONS]"])
    yield f"## `{name}`\n\n{inspect.cleandoc(command.help)}\n\n```text\n{usage}\n```\n"
    rows = []
    for param in command.params:
        spelling, meaning = param.get_help_record(context)
        shown = _argument(param) if param in arguments else spelling
        rows.append((f"`{shown}`", meaning.replace("  [required]", "" if param in arguments else " **required**")))
    if rows:
        yield _table(("argument or option", "meaning"), rows)


def _argument(param: Any) -> str:
    name = param.name.upper()
    return name if param.required else f"[{name}]"


def exit_codes() -> str:
    """What the command line's exit codes mean, by the tree of errors."""
    told = {
        0: "Done.",
        1: "Not well: `landed status` or `landed doctor` found something to mend; or an error of no kind below.",
        **{one.exit_code: str(inspect.getdoc(one)).splitlines()[0] for one in LandedError.__subclasses__()},
        INTERRUPTED: "Stopped by Ctrl-C; the same command carries on.",
    }
    told[2] += " Or the command was called wrongly."
    return _table(("code", "meaning"), [(str(code), told[code]) for code in sorted(told)])


def settings() -> str:
    """Every variable of the environment, with type, default and meaning."""
    intro = (
        "Settings are variables of the environment; all have defaults that work on a laptop. A **secret** is never "
        "printed. It may also come from a file that only its owner and group may read, named by the same variable with "
        "`_FILE` at its end, as containers hand secrets over.\n"
    )
    rows = [
        (f"`LANDED_{name.upper()}`", _setting(one), _setting_default(one), str(one.description))
        for name, one in Settings.model_fields.items()
    ]
    table = _table(("variable", "type", "default", "meaning"), rows)
    return _head("Settings", "`pipeline.settings`") + f"{intro}\n{table}"


def _setting(field: FieldInfo) -> str:
    kinds = [one for one in get_args(field.annotation) or (field.annotation,) if one is not type(None)]
    if get_origin(field.annotation) is Literal:
        return ", ".join(f"`{value}`" for value in kinds)
    names = {Path: "path", SecretStr: "**secret**", bool: "`true` or `false`", int: "whole number", str: "text"}
    return names[kinds[0]]


def _setting_default(field: FieldInfo) -> str:
    default = field.default
    if field.default_factory or isinstance(default, SecretStr) or default in (None, ""):
        return "–"
    return f"`{str(default).lower() if isinstance(default, bool) else default}`"


def _table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    lines = [head, ("---",) * len(head), *rows]
    cells = [[" ".join(cell.split()).replace("|", "\\|") for cell in line] for line in lines]
    return "".join(f"| {' | '.join(line)} |\n" for line in cells)


def main() -> None:
    """Write what is generated into the folder ``docs`` beside this package."""
    root = Path(__file__).parents[3]
    for name, text in pages(root).items():
        (root / "docs" / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
