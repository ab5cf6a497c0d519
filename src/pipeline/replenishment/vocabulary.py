"""Words of this domain that people read in reports, marked here so that they can be said in another language.

They are identifiers elsewhere (a KPI's title, a slice's column); ``pipeline.language.term`` finds them by their text.
"""

from pipeline.language import say

WORDS = (
    say("Stock-out rate"),
    say("Units lost"),
    say("Stock"),
    say("Cost"),
    say("Cost against the benchmark"),
    say("Days of sales in stock"),
    say("stores"),
    say("days"),
    say("units per store-product"),
    say("per store-product-week"),
    say("EUR per store-product-week"),
    say("incumbent"),
    say("seasonal naive"),
    say("seasonal average"),
    say("official benchmark"),
    say("tuned benchmark"),
    say("paths"),
    say("safety stock"),
    say("department"),
    say("promotion"),
    say("volume"),
    say("cutoff"),
    say("store"),
    say("product"),
    say("weeks begin on Mondays"),
)
