"""Landed takes an AI project from pilot to scale: charter, evidence, sign-off, rollout."""

__version__ = "0.1.0"
