"""Two samples of fifteen columns, ten of numbers and five of text; the current one has moved a little."""

import numpy as np
import pandas as pd

SAMPLE = 10_000


def frames(rows):
    draw = np.random.default_rng(20260)
    reference, current = {}, {}
    for number in range(10):
        reference[f"number_{number}"] = draw.lognormal(1.0, 0.5, rows)
        current[f"number_{number}"] = draw.lognormal(1.0 + 0.02 * number, 0.5, rows)
    for number in range(5):
        texts = np.array([f"T{value:02d}" for value in range(10 * (number + 1))])
        reference[f"text_{number}"] = pd.Series(texts[draw.integers(0, len(texts), rows)], dtype="str")
        current[f"text_{number}"] = pd.Series(texts[draw.integers(0, len(texts), rows)], dtype="str")
    return pd.DataFrame(current), pd.DataFrame(reference)


def rows_of(folder):
    return int((folder / "rows").read_text(encoding="ascii"))
