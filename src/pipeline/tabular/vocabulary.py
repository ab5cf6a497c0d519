"""Words of this room that people read in reports, marked here so that they can be said in another language.

They are identifiers elsewhere (a KPI's title, a baseline's name); ``pipeline.language.term`` finds them by their text.
"""

from pipeline.language import say

WORDS = (
    say("Value per case"),
    say("Value per unit and period"),
    say("Cases acted on"),
    say("Cases handled"),
    say("Positive cases left"),
    say("Acted on in vain"),
    say("Right class"),
    say("Mean absolute error"),
    say("per case"),
    say("per unit and week"),
    say("per unit and day"),
    say("hours per case"),
    say("hours per unit and week"),
    say("hours per unit and day"),
    say("cases per case"),
    say("cases per unit and week"),
    say("cases per unit and day"),
    say("units"),
    say("nobody"),
    say("everybody"),
    say("today"),
    say("most common"),
    say("best constant"),
    say("mean"),
    say("median"),
)
