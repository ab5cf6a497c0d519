"""Reviews: people sign for one report in one role; their quorum makes a decision, which is applied once."""

from pipeline.review.applying import Applied, Disposition, dispose, mark_applied
from pipeline.review.items import FeedbackItem, Filed, items_of, record_effect
from pipeline.review.listing import ReviewView, open_reviews, show_review
from pipeline.review.quorum import SignOff, asked, out_of_reach, outcome
from pipeline.review.recorded import RecordedAnswers, answer_recorded, read_recorded
from pipeline.review.requests import (
    Blocking,
    ReviewRequest,
    charter_of,
    find_review,
    goal_of,
    iteration_of,
    request_review,
    reviews_of,
)
from pipeline.review.signing import SignOutcome, sign, signoffs_of

__all__ = [
    "Applied",
    "Blocking",
    "Disposition",
    "FeedbackItem",
    "Filed",
    "RecordedAnswers",
    "ReviewRequest",
    "ReviewView",
    "SignOff",
    "SignOutcome",
    "answer_recorded",
    "asked",
    "charter_of",
    "dispose",
    "find_review",
    "goal_of",
    "items_of",
    "iteration_of",
    "mark_applied",
    "open_reviews",
    "out_of_reach",
    "outcome",
    "read_recorded",
    "record_effect",
    "request_review",
    "reviews_of",
    "show_review",
    "sign",
    "signoffs_of",
]
