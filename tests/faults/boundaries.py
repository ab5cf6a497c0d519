"""The places at which a killed process is worst: around steps, commits, calls of MLflow, and changes of files and rows.

Installed in a process that is to die, :func:`armed` counts every such place that the process passes and, at the one it
was told, has the kernel end it with SIGKILL: no handler, no ``finally`` and no flush runs.
"""

import os
import signal
import sys
import threading
from collections.abc import Callable
from contextlib import contextmanager
from functools import wraps
from pathlib import Path
from typing import Any

from mlflow.tracking import MlflowClient

from flows.workbench import Workbench
from pipeline.ledger import Ledger, Transaction

#: Calls of MLflow that change something.
_WRITES = ("create_", "log_", "set_", "update_", "delete_")
_CHANGING = os.O_WRONLY | os.O_RDWR | os.O_CREAT


class Boundaries:
    """Counts places; kills at one of them.

    Args:
        folder: changes of files below it count, others do not.
        fatal: number of the place to die at, from 1; 0 for none.
    """

    def __init__(self, folder: Path, fatal: int) -> None:
        self.folder, self.fatal, self.passed = str(folder), fatal, list[str]()

    def __call__(self, kind: str) -> None:
        # The thread that keeps the lease alive commits when it likes; its places would make the count a matter of luck.
        if threading.current_thread().name.startswith("lease"):
            return
        self.passed.append(kind)
        if len(self.passed) == self.fatal:
            os.kill(os.getpid(), signal.SIGKILL)

    def audit(self, event: str, arguments: tuple[Any, ...]) -> None:
        """Before each rename, removal and opening for writing below the folder."""
        changes = event in {"os.rename", "os.remove", "os.mkdir", "shutil.rmtree"}
        if event == "open":
            _, mode, flags = arguments
            changes = bool(flags & _CHANGING) if mode is None else not {*mode}.isdisjoint("wax+")
        if changes and str(arguments[0]).startswith(self.folder):
            self("file")


def armed(folder: Path, fatal: int = 0) -> Boundaries:
    """Count this process's places, and let it die at one."""
    passed = Boundaries(folder, fatal)
    _around_commits(passed)
    _around_steps(passed)
    written = [(MlflowClient, name, "mlflow") for name in dir(MlflowClient) if name.startswith(_WRITES)]
    for owner, name, kind in [*written, (Transaction, "append", "row"), (Transaction, "execute", "row")]:
        setattr(owner, name, _around(getattr(owner, name), passed, kind))
    sys.addaudithook(passed.audit)
    return passed


def _around(call: Callable[..., Any], passed: Boundaries, kind: str) -> Callable[..., Any]:
    @wraps(call)
    def called(*args: Any, **kwargs: Any) -> Any:
        passed(kind)
        result = call(*args, **kwargs)
        passed(kind)
        return result

    return called


def _around_commits(passed: Boundaries) -> None:
    real = Ledger.transaction

    @contextmanager
    def transaction(ledger: Ledger) -> Any:
        with real(ledger) as tx:
            yield tx
            passed("commit")
        passed("commit")

    Ledger.transaction = transaction  # type: ignore[method-assign]


def _around_steps(passed: Boundaries) -> None:
    real = Workbench.step

    @contextmanager
    def step(bench: Workbench, name: str) -> Any:
        passed("step")
        with real(bench, name):
            yield
        passed("step")

    Workbench.step = step  # type: ignore[method-assign]
