"""Rolling-origin cutoffs: where the past ends, again and again.

Every cutoff is a number of periods: a model fitted at cutoff ``c`` sees periods ``0 … c - 1`` and is judged on
``c … c + horizon - 1``. Source: Tashman, Out-of-sample tests of forecasting accuracy, International Journal of
Forecasting 16 (2000); Hyndman and Athanasopoulos, Forecasting: Principles and Practice, 3rd ed., ch. 5.10.
"""

from typing import TypeVar

from pipeline.errors import DataError, Finding

Cutoff = TypeVar("Cutoff", int, str)


def cutoffs(n_periods: int, horizon: int, count: int, every: int, least: int = 1) -> tuple[int, ...]:
    """The last ``count`` cutoffs, ``every`` periods apart, oldest first.

    The last one leaves exactly ``horizon`` periods to judge on, the first one at least ``least`` to learn from.

    >>> cutoffs(100, horizon=8, count=3, every=10)
    (72, 82, 92)

    Raises:
        DataError: when the history is too short; the finding says how long it must be.
    """
    if min(horizon, count, every, least) < 1:
        raise ValueError("horizon, count, every and least must be at least 1")
    needed = least + (count - 1) * every + horizon
    if n_periods < needed:
        raise DataError(
            "the history is too short for the backtest",
            [
                Finding(
                    "model.backtest_cutoffs, model.backtest_every",
                    f"{count} cutoffs {every} periods apart with a horizon of {horizon} and {least} periods to learn "
                    f"from need {needed} periods; the history has {n_periods}",
                    "bring more history, or ask for fewer cutoffs or cutoffs closer together",
                )
            ],
        )
    last = n_periods - horizon
    return tuple(last - every * back for back in reversed(range(count)))


def tune_confirm(chosen: tuple[Cutoff, ...]) -> tuple[tuple[Cutoff, ...], tuple[Cutoff, ...]]:
    """Split cutoffs (positions or ISO dates) in time: the earlier half chooses, the later half confirms the choice.

    Choosing and judging on the same cutoffs flatters the winner. An odd one goes to choosing.

    >>> tune_confirm((72, 82, 92))
    ((72, 82), (92,))
    """
    if len(chosen) < 2:
        raise ValueError(f"{len(chosen)} cutoffs cannot be split into choosing and confirming; at least 2 are asked")
    middle = (len(chosen) + 1) // 2
    ordered = tuple(sorted(chosen))
    return ordered[:middle], ordered[middle:]
