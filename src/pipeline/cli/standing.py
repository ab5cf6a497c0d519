"""How the stack and the ledger stand: the figures, as values and as JSON."""

from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

from pipeline.errors import LandedError
from pipeline.ledger import Ledger, pending
from pipeline.ledger.breaks import Trouble, troubles
from pipeline.ledger.store import utc_now
from pipeline.ledger.tables import reviews
from pipeline.settings import Settings
from pipeline.stack.secrets import USER, Secrets
from pipeline.stack.state import STALE, Folders, StackState, last, running, silent_for


@dataclass(frozen=True)
class LedgerStanding:
    """What the ledger says of itself.

    Attributes:
        where: path, or URL without password.
        exists: whether there is one yet.
        events: how many it holds.
        head: hash of the last event.
        open_reviews: how many wait for people.
        pending: intents whose effect is not in the ledger yet.
        oldest: age of the oldest of them in seconds, None when there is none.
        troubles: iterations that failed, or that have to be taken up again and again.
        problem: why it cannot be read; empty when it can.
    """

    where: str
    exists: bool = False
    events: int = 0
    head: str = ""
    open_reviews: int = 0
    pending: int = 0
    oldest: float | None = None
    troubles: tuple[Trouble, ...] = ()
    problem: str = ""


@dataclass(frozen=True)
class Standing:
    """How an installation stands.

    Attributes:
        folders: of its data folder.
        stack: what the living supervisor says, None when none lives.
        left: what the last one said, if none lives.
        stuck: seconds the living supervisor has been silent for, 0 when it is not.
        ledger: the ledger.
    """

    folders: Folders
    stack: StackState | None
    left: StackState | None
    stuck: float
    ledger: LedgerStanding

    @property
    def healthy(self) -> bool:
        """Whether everything runs and is well."""
        return self.stack is not None and self.stack.healthy and not self.stuck and not self.ledger.problem


def standing(settings: Settings) -> Standing:
    """How things stand; makes nothing where nothing is.

    Raises:
        LedgerError: the ledger's URL cannot be read.
    """
    folders = Folders(settings.data)
    stack = running(folders)
    silent = silent_for(folders) if stack else 0.0
    left = None if stack else last(folders)
    return Standing(folders, stack, left, silent if silent > STALE else 0.0, ledger_standing(settings.ledger))


def ledger_standing(url: str) -> LedgerStanding:
    """What the ledger says of itself; one that is not there is not made.

    Raises:
        LedgerError: the URL cannot be read.
    """
    with Ledger(url) as ledger:
        if ledger.path is not None and not ledger.path.exists():
            return LedgerStanding(ledger.where)
        try:
            head, waiting, found = ledger.head(), pending(ledger), troubles(ledger)
            opened = ledger.rows(reviews.select().with_only_columns(reviews.c.id).where(reviews.c.state == "open"))
        except LandedError as error:
            why = "; ".join([error.headline, *(finding.found for finding in error.findings)])
            return LedgerStanding(ledger.where, exists=True, problem=why)
        oldest = max(((utc_now() - noted(one.created_at)).total_seconds() for one in waiting), default=None)
        return LedgerStanding(
            ledger.where, exists=True, events=head.seq, head=head.hash, open_reviews=len(opened),
            pending=len(waiting), oldest=oldest, troubles=found,
        )  # fmt: skip


def as_values(found: Standing) -> dict[str, Any]:
    """The standing as JSON; holds no password."""
    secrets = Secrets(found.folders.secrets, "", "", "", "")
    return {
        "healthy": found.healthy,
        "running": found.stack is not None,
        "stuck_seconds": found.stuck,
        "pid": found.stack.pid if found.stack else None,
        "since": found.stack.since if found.stack else None,
        "parts": [asdict(part) | {"healthy": part.healthy} for part in found.stack.parts] if found.stack else [],
        "ledger": asdict(found.ledger),
        "sign_in": {
            "prefect": {"file": str(secrets.prefect_file)},
            "mlflow": {"user": USER, "file": str(secrets.mlflow_file)},
        },
    }


def noted(text: str) -> datetime:
    """A noted moment; UTC where it does not say."""
    found = datetime.fromisoformat(text)
    return found if found.tzinfo else found.replace(tzinfo=UTC)
