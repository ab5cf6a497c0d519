"""What is known at a cutoff, cut in time order: fit, then calibrate, then choose the policy; what is later is replayed.

Each part is blind to the others: probabilities that were calibrated on the rows a policy is chosen on would flatter the
policy, as a model flatters itself on the rows it was fitted on.
"""

from dataclasses import dataclass

from pipeline.charter import Candidate, Charter
from pipeline.errors import Finding, ModelError
from pipeline.tabular.calibration import LEAST_ROWS as LEAST_CALIBRATING
from pipeline.tabular.cases import Cases
from pipeline.tabular.parameters import learner_of
from pipeline.tabular.policies import leaves_open
from pipeline.tabular.values import Bools

#: Rows to fit on, and rows to choose an open part of a policy on, at least.
LEAST_FITTING = LEAST_CHOOSING = 30
#: One of so many known periods is kept, and how many at most; half of them to calibrate, where anything is.
_ONE_IN, _MOST = 4, 26


@dataclass(frozen=True)
class Parts:
    """Rows (N,) of each part; no row is in two, and each part is older than the next.

    Attributes:
        fitting: the model learns from them.
        calibrating: its probabilities are calibrated on them; none where nothing is calibrated.
        choosing: what the policy leaves open is chosen on them.
    """

    fitting: Bools
    calibrating: Bools
    choosing: Bools


def parts_before(charter: Charter, spec: Candidate, cases: Cases, cutoff: int, stage: Bools) -> Parts:
    """The parts of what is known at a cutoff.

    A part takes a share of the known periods, and earlier ones too until it holds the rows it needs.

    Args:
        charter: its policy and the periods a model is fitted on.
        spec: says what is calibrated.
        cases: all of them.
        cutoff: number of periods known.
        stage: (N,) rows that may be fitted on.

    Raises:
        ModelError: a part has too few rows, with the rows of each.
    """
    calibrates = bool(cases.names) and learner_of(spec).calibration != "none"
    asked = LEAST_CALIBRATING if calibrates else 0, LEAST_CHOOSING if leaves_open(charter) else 0
    share = min(cutoff // _ONE_IN, _MOST) // (2 if calibrates else 1)
    choose = _first(cases, cutoff, share, asked[1], leaving=2 if calibrates else 1)
    calibrate = _first(cases, choose, share, asked[0], leaving=1) if calibrates else choose
    found = Parts(
        cases.within(calibrate - charter.model.train_periods, calibrate) & stage,
        cases.within(calibrate, choose),
        cases.within(choose, cutoff),
    )
    sizes = int(found.fitting.sum()), int(found.calibrating.sum()), int(found.choosing.sum())
    if any(size < least for size, least in zip(sizes, (LEAST_FITTING, *asked), strict=True)):
        told = f"{sizes[0]} rows to fit on, {sizes[1]} to calibrate on, {sizes[2]} to choose the policy on"
        remedy = (
            f"bring more history, or fewer cutoffs: {LEAST_FITTING}, {asked[0]} and {asked[1]} are the least; "
            "`calibration: none` and a policy with all its parameters need fewer"
        )
        place = f"{spec.name}, what is known after {cutoff} periods"
        raise ModelError("There is too little to learn from", [Finding(place, told, remedy)])
    return found


def _first(cases: Cases, end: int, share: int, least: int, leaving: int) -> int:
    """First period of a part that ends before ``end``; ``leaving`` periods stay for the parts before it."""
    first = end - max(1, share)
    while first > leaving and cases.within(first, end).sum() < least:
        first -= 1
    return first
