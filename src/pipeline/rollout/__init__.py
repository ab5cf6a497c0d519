"""The rollout: which units follow which model, one rung at a time, up or down."""

from pipeline.rollout.ladder import Release, current, next_stage, previous, previous_stage, release, roll_back

__all__ = ["Release", "current", "next_stage", "previous", "previous_stage", "release", "roll_back"]
