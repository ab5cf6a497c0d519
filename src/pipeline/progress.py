"""How long work shows itself: a bar in a terminal, plain lines elsewhere; in the log where a worker started it."""

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn
from rich.text import Text

#: Set where a part of the stack works, by its name: see :mod:`pipeline.logs`.
PART = "LANDED_PART"


class Reporter:
    """Shows steps on standard error, so that results on standard output can be piped."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self._bar: Progress | None = None
        self._tasks: dict[str, TaskID] = {}

    def __call__(self, what: str, done: int, total: int) -> None:
        """Show that ``done`` of ``total`` steps of ``what`` are finished."""
        if self._bar is None:
            if done == total:
                self.console.print(f"  {what}: {total} done", markup=False, highlight=False)
            return
        if what not in self._tasks:
            self._tasks[what] = self._bar.add_task(what, total=total)
        self._bar.update(self._tasks[what], completed=done, total=total)

    def say(self, text: str) -> None:
        """Print one line of rich markup, above the bars if there are any."""
        self.console.print(text, highlight=False, soft_wrap=True)

    @contextmanager
    def section(self, title: str) -> Iterator[None]:
        """Bars drawn inside belong together and stay on the screen when the section ends."""
        self.say(title)
        if not self.console.is_terminal:
            yield
            return
        try:
            with _bars(self.console) as self._bar:
                yield
        finally:
            self._bar = None
            self._tasks.clear()


class Logged(Reporter):
    """Writes the same lines to the log of the part that started the run."""

    def __call__(self, what: str, done: int, total: int) -> None:
        """Log that all steps of ``what`` are finished."""
        if done == total:
            self.say(f"{what}: {total} done")

    def say(self, text: str) -> None:
        """Log one line of rich markup."""
        logging.getLogger("landed.run").info("%s", Text.from_markup(text).plain.strip())


def _bars(console: Console) -> Progress:
    return Progress(
        SpinnerColumn(finished_text="[green]✓[/]"),
        TextColumn("{task.description}"),
        BarColumn(bar_width=28),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=console,
    )


@cache
def reporter() -> Reporter:
    """The one reporter of this process."""
    return (Logged if PART in os.environ else Reporter)(Console(stderr=True))
