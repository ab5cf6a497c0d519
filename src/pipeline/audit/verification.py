"""``landed audit verify``: the chain, its anchors and signatures, and everything the record points at."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.audit import record
from pipeline.audit.places import noted_heads
from pipeline.errors import ChainBroken, Finding, ModelError
from pipeline.ledger import ChainStatus, Ledger, verify
from pipeline.ledger.anchors import Anchor
from pipeline.ledger.notary import public_key
from pipeline.settings import Settings

if TYPE_CHECKING:
    from pipeline.models.auditing import AuditView


@dataclass(frozen=True)
class Audit:
    """What a verification found.

    Attributes:
        chain: of the events.
        anchors: the heads that were noted down elsewhere.
        public: the ledger's public key; None where sign-offs are not signed.
        findings: what is not as the chain says, beside the chain itself; not looked for where the chain is broken.
    """

    chain: ChainStatus
    anchors: tuple[Anchor, ...]
    public: str | None
    findings: tuple[Finding, ...]

    def require(self) -> None:
        """Go on only where nothing was found.

        Raises:
            ChainBroken: every finding, the first bad event first.
        """
        self.chain.require()
        if self.findings:
            raise ChainBroken("The ledger is whole, but what it points at was changed", self.findings)


def audit(
    ledger: Ledger,
    settings: Settings,
    tracking: "AuditView | None" = None,
    *,
    public: str | None = None,
    known: tuple[Anchor, ...] = (),
    deep: bool = False,
) -> Audit:
    """Verify a ledger and all that hangs on it.

    Args:
        ledger: the ledger.
        settings: where reports, models and datasets lie.
        tracking: MLflow; None leaves it out.
        public: the ledger's public key as known from elsewhere; that of the file beside it, or the chain's, if None.
        known: heads that the caller knows of.
        deep: read every dataset again and compare its content with its hash.

    Raises:
        LedgerError: a store cannot be read.
        ChainBroken: the file of anchors was damaged.
    """
    anchors = known + noted_heads(ledger, settings.reports, tracking.anchors() if tracking else ())
    key = public or _kept(ledger.notary.keys / "ledger.pub")
    chain = verify(ledger, anchors, public=key)
    if not chain.intact:
        return Audit(chain, anchors, key, ())
    return Audit(chain, anchors, public_key(ledger), tuple(_findings(ledger, settings, tracking, deep=deep)))


def _findings(ledger: Ledger, settings: Settings, tracking: "AuditView | None", *, deep: bool) -> Iterator[Finding]:
    for name in ledger.unguarded():
        remedy = "find out who removed it and why; `landed backup`, then restore, puts it back"
        yield Finding(f"trigger {name}", "it is missing or switched off: events could be changed", remedy)
    yield from record.check_iterations(ledger)
    yield from record.check_reviews(ledger)
    yield from record.check_releases(ledger)
    yield from record.check_work(ledger, settings)
    yield from record.check_packs(ledger, settings)
    if deep:
        yield from record.check_datasets(ledger, settings)
    if tracking is not None:
        yield from record.check_tracking(ledger, tracking.tags())
        yield from _released(ledger, tracking)


def _released(ledger: Ledger, tracking: "AuditView") -> Iterator[Finding]:
    """The files of the models that MLflow's aliases point at."""
    for project in sorted({one.project for one in record.all_records(ledger)}):
        for alias in tracking.aliases(project):
            try:
                tracking.released(project, alias)
            except ModelError as error:
                yield from error.findings


def _kept(path: Path) -> str | None:
    """The public key as it was handed out, or None where there is no such file."""
    return path.read_text(encoding="ascii").strip() if path.exists() else None
