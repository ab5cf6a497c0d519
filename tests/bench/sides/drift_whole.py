"""The same Evidently report on all rows."""

import functools

import stopwatch
from drift_sample import side

stopwatch.main(functools.partial(side, sample=0))
