"""Words of this domain: what tickets can be, and what people read in reports, marked to be said in other languages.

The words of reports are identifiers elsewhere (a KPI's title, a slice's column); ``pipeline.language.term`` finds them
by their text.
"""

from pipeline.language import say

CATEGORIES = ("access", "hardware", "network", "order", "security", "software")
CHANNELS = ("chat", "email", "phone", "portal")
PRIORITIES = ("high", "low", "normal")
TIERS = ("basic", "plus", "premium")

WORDS = (
    say("First response"),
    say("First response, 90th percentile"),
    say("Against today's rule"),
    say("Late first responses"),
    say("Reopened"),
    say("First response, high priority"),
    say("Time to close"),
    say("Agent hours"),
    say("hours"),
    say("hours per team and week"),
    say("teams"),
    say("priority first"),
    say("category averages"),
    say("category"),
    say("channel"),
    say("priority"),
    say("shifts begin at 7, 11 and 15 o'clock"),
)
