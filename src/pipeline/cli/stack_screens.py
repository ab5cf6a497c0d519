"""What ``landed up`` and ``landed status`` show in a terminal."""

import logging
from contextlib import suppress
from datetime import datetime
from types import TracebackType
from typing import Self

from rich import box
from rich.console import Console, Group
from rich.live import Live
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from pipeline.cli.standing import LedgerStanding, Standing, noted
from pipeline.ledger.breaks import Trouble
from pipeline.logs import structured
from pipeline.stack.secrets import USER, read
from pipeline.stack.state import Folders, PartState, StackState

_log = logging.getLogger("landed.up")
_SIGNS = {
    "healthy": ("✓", "green", "healthy"),
    "starting": ("…", "yellow", "starting"),
    "waiting": ("…", "dim", "waiting"),
    "silent": ("!", "red", "no answer"),
    "stopping": ("…", "yellow", "stopping"),
    "pausing": ("✗", "red", "down"),
    "stopped": ("-", "dim", "stopped"),
}


def console() -> Console:
    """Standard output; where it is a pipe, wide enough for a table."""
    found = Console(highlight=False)
    return found if found.is_terminal else Console(highlight=False, width=160)


def show_standing(found: Standing) -> None:
    """The standing as tables."""
    out = console()
    if found.stack:
        out.print(parts_table(found.stack))
        out.print(f"Supervisor {found.stack.pid} on {found.folders.data}, since {_local(found.stack.since)}.")
        for part in found.stack.parts:
            if part.reason:
                out.print(Text(f"✗ {part.name}: {part.reason}   log {part.log}", style="red"), soft_wrap=True)
        if found.stuck:
            out.print(f"[red]✗ The supervisor has said nothing for {found.stuck:.0f} s: `landed down`, then start.[/]")
    else:
        out.print(f"Nothing runs on {found.folders.data}. Start it with `landed up`.")
        if found.left and any(part.phase != "stopped" for part in found.left.parts):
            out.print("[yellow]The last stack was killed; the next `landed up` or `landed down` clears it away.[/]")
    out.print()
    out.print(_ledger_table(found.ledger))
    for trouble in found.ledger.troubles:
        _show_trouble(out, trouble)


def _show_trouble(out: Console, trouble: Trouble) -> None:
    waits = trouble.state in {"failed", "refused"}
    sign, style = ("✗", "red") if waits else ("!", "yellow")
    often = "once" if trouble.times == 1 else f"{trouble.times} times"
    stands = trouble.state if waits else f"{trouble.state}, taken up again {often} so far"
    name = f"{trouble.project}, iteration {trouble.number}, {trouble.stage}"
    # The reason may quote anything: it is text, never markup.
    out.print()
    out.print(Text(f"{sign} {name}: {stands} ({_local(trouble.at)})", style=style), soft_wrap=True)
    out.print(Text(f"  {trouble.reason}"), soft_wrap=True)
    if waits:
        out.print(f"  → mend it, then `landed run CHARTER`, or start retraining/{trouble.project} in Prefect's page")


def show_sign_in(found: Standing, *, passwords: bool) -> None:
    """How a person signs in on the two pages.

    Raises:
        LandedError: the secrets can be read by others.
    """
    out, secrets = console(), read(found.folders.secrets)
    out.print()
    if secrets is None:
        out.print("There are no secrets yet: the first `landed up` makes them.")
        return
    stack = found.stack
    lines = Table(box=None, pad_edge=False, show_header=False)
    for name, how, file, value in (
        ("Prefect", "asks for one text: all of", secrets.prefect_file, secrets.prefect),
        ("MLflow", f"user {USER}, password in", secrets.mlflow_file, secrets.mlflow_password),
    ):
        link = stack.link(name.lower()) if stack else ""
        lines.add_row(name, Text(link), how, Text(value if passwords else str(file), style="bold", overflow="fold"))
    out.print(lines)


def parts_table(stack: StackState) -> Table:
    """The parts, one a line."""
    made = Table(box=box.SIMPLE_HEAD, pad_edge=False, collapse_padding=True)
    for name, side in (
        ("part", "left"), ("state", "left"), ("version", "left"), ("pid", "right"), ("since", "left"),
        ("restarts", "right"), ("link", "left"),
    ):  # fmt: skip
        made.add_column(name, justify="right" if side == "right" else "left", no_wrap=True)
    for part in stack.parts:
        made.add_row(
            part.name, _sign(part), part.version, str(part.pid or ""), _local(part.since), str(part.restarts),
            Text(part.link, style=f"link {part.link}" if part.link else ""),
        )  # fmt: skip
    return made


class Screen:
    """What ``landed up`` shows: a table that moves while the parts start, then a line for each change.

    Args:
        folders: of the data folder.
    """

    def __init__(self, folders: Folders) -> None:
        self._folders = folders
        self._out = console()
        self._live: Live | None = None
        self._before: dict[str, PartState] = {}
        self._announced = False

    def __enter__(self) -> Self:
        if self._out.is_terminal and not structured():
            self._live = Live(console=self._out, transient=True, refresh_per_second=8)
            self._live.start()
        else:
            self.say(f"Starting the stack on {self._folders.data}; logs in {self._folders.logs}")
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._settle()

    def say(self, line: str) -> None:
        """One line of rich markup."""
        if structured():
            _log.info("%s", Text.from_markup(line).plain.strip())
            return
        # Whoever started it may have closed the terminal; the parts go on.
        with suppress(OSError):
            self._out.print(line, soft_wrap=True)

    def show(self, state: StackState) -> None:
        """Show what changed."""
        stopping = any(part.phase in {"stopping", "stopped"} for part in state.parts)
        if self._live and not stopping:
            self._live.update(self._moving(state))
        for part in state.parts:
            before = self._before.get(part.name)
            if before is None or (before.phase, before.reason) != (part.phase, part.reason):
                self._tell(part, before)
            self._before[part.name] = part
        if state.healthy and not self._announced:
            self._announce(state)
        elif stopping:
            self._settle()
            if all(part.phase == "stopped" for part in state.parts):
                self.say("[green]✓[/] All parts are stopped.")

    def _tell(self, part: PartState, before: PartState | None) -> None:
        clock = "" if structured() else f"[dim]{datetime.now().astimezone():%H:%M:%S}[/]"
        if part.phase in {"pausing", "silent"} or (part.phase == "stopping" and part.reason):
            self.say(f"{clock} [red]✗ {part.name}: {part.reason}[/]   log {part.log}")
        elif part.phase == "healthy" and before is not None and (self._announced or self._live is None):
            self.say(f"{clock} [green]✓ {part.name}[/] is healthy{'   ' + part.link if part.link else ''}")
        elif part.phase == "stopping" and not any(one.phase == "stopping" for one in self._before.values()):
            self.say(f"{clock} Stopping {part.name} …")

    def _announce(self, state: StackState) -> None:
        self._settle()
        self._announced = True
        if structured():
            self.say("all parts are healthy")
            return
        with suppress(OSError):
            self._out.print(parts_table(state))
        self.say("How to sign in: `landed status --secrets`. Ctrl-C or `landed down` stops all parts.")

    def _settle(self) -> None:
        if self._live:
            self._live.stop()
            self._live = None

    def _moving(self, state: StackState) -> Group:
        well = sum(part.healthy for part in state.parts)
        words = f"Starting the stack on {self._folders.data}: {well} of {len(state.parts)} parts are healthy"
        return Group(Spinner("dots", text=words), parts_table(state))


def _ledger_table(ledger: LedgerStanding) -> Table:
    made = Table(box=None, pad_edge=False, show_header=False)
    made.add_row("ledger", Text(ledger.where, overflow="fold"))
    if ledger.problem:
        made.add_row("", Text(f"✗ {ledger.problem}", style="red"))
    elif not ledger.exists:
        made.add_row("", "there is none yet")
    else:
        made.add_row("events", f"{ledger.events}, chain head {ledger.head[:16]}")
        made.add_row("open reviews", str(ledger.open_reviews))
        age = f", the oldest for {_duration(ledger.oldest)}" if ledger.oldest is not None else ""
        made.add_row("pending intents", f"{ledger.pending}{age}")
    return made


def _sign(part: PartState) -> Text:
    sign, colour, word = _SIGNS[part.phase]
    return Text(f"{sign} {word}", style=colour)


def _local(text: str) -> str:
    moment, today = noted(text).astimezone(), datetime.now().astimezone()
    return f"{moment:%H:%M:%S}" if moment.date() == today.date() else f"{moment:%Y-%m-%d %H:%M}"


def _duration(seconds: float) -> str:
    for size, word in ((86400, "days"), (3600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {word}"
    return f"{seconds:.0f} s"
