"""How many wrong things were tried on Landed, and how each of them ended."""

from dataclasses import dataclass, field


@dataclass
class Tally:
    """Every try is refused with findings, accepted, or lost: another exception, a hang, a finding without a place."""

    what: str
    refused: int = 0
    accepted: int = 0
    lost: list[str] = field(default_factory=list)

    @property
    def tried(self) -> int:
        return self.refused + self.accepted + len(self.lost)

    def show(self) -> None:
        """Print the figures, as ``docs/reliability.md`` keeps them."""
        figures = f"tried {self.tried}, refused {self.refused}, accepted {self.accepted}, lost {len(self.lost)}"
        print(f"\n{self.what}: {figures}")  # noqa: T201 - seen with `pytest -s`
