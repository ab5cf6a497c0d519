"""From outcomes to KPIs with intervals, slices, drift and verdicts."""
