"""Recorded answers: what stands in for people where a shipped case is played without them.

They are given through the same :func:`pipeline.review.signing.sign` as a person's click, under the same rules, and
are labelled as recorded in the sign-off, its event, the decision's event and everything shown of them.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from pipeline.charter import DecisionName, Person
from pipeline.charter.document import MAX_BYTES, Document, UnreadableError, parse
from pipeline.errors import CharterError, Finding
from pipeline.ledger import Ledger, Reader
from pipeline.review.items import FeedbackItem, Words
from pipeline.review.requests import ReviewRequest, charter_of, iteration_of
from pipeline.review.signing import SignOutcome, sign


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")


class Otherwise(_Part):
    """What the person answers when a blocking verdict failed."""

    decision: DecisionName
    comment: Words
    feedback: tuple[FeedbackItem, ...] = ()


class RecordedSign(_Part):
    """One person's recorded answer."""

    person: Words
    decision: DecisionName
    comment: Words
    feedback: tuple[FeedbackItem, ...] = ()
    otherwise: Otherwise | None = None

    @model_validator(mode="after")
    def _advance_needs_another_way(self) -> "RecordedSign":
        if self.decision == "advance" and self.otherwise is None:
            raise ValueError("advance may be barred by a failed verdict: say under `otherwise` what is answered then")
        return self

    def answer(self, request: ReviewRequest) -> "RecordedSign | Otherwise":
        """The answer to this request: the decision, or what is recorded for when a blocking verdict failed."""
        return self.otherwise if request.blocking and self.otherwise is not None else self


class RecordedReview(_Part):
    """The recorded answers to one review."""

    iteration: Annotated[int, Field(ge=1)]
    stage: Words
    sign: Annotated[tuple[RecordedSign, ...], Field(min_length=1)]


class _File(_Part):
    project: Words
    label: Words
    reviews: Annotated[tuple[RecordedReview, ...], Field(min_length=1)]


@dataclass(frozen=True)
class RecordedAnswers:
    """All recorded answers of a project.

    Attributes:
        project: the project they are for.
        label: the sentence that says what they are, shown wherever they are shown.
        reviews: the answers, review by review.
    """

    project: str
    label: str
    reviews: tuple[RecordedReview, ...]

    def to(self, iteration: int, stage: str) -> tuple[RecordedSign, ...]:
        """The answers to the review of an iteration at a stage; empty when none are recorded."""
        for review in self.reviews:
            if (review.iteration, review.stage) == (iteration, stage):
                return review.sign
        return ()


def read_recorded(path: Path) -> RecordedAnswers:
    """Read recorded answers.

    Raises:
        CharterError: the file is missing, is no YAML, or says something it may not; with the line of each finding.
    """
    document = _document(path)
    findings = [Finding(f"{path}:{line}", item.found, item.remedy) for line, item in document.advice]
    if not findings:
        try:
            file = _File.model_validate_json(json.dumps(document.data))
        except ValidationError as exc:
            findings = [_finding(path, document, error) for error in exc.errors(include_url=False)]
        else:
            findings = _repeated(path, document, file)
    if findings:
        raise CharterError(f"{path} cannot be used as recorded decisions", findings)
    return RecordedAnswers(file.project, file.label, file.reviews)


def answer_recorded(ledger: Ledger, request: ReviewRequest, answers: RecordedAnswers) -> tuple[SignOutcome, ...]:
    """Give the recorded answers to a request, in their order, until it is decided.

    A role that the request does not ask, as stop rules have it, has nothing to answer: see :func:`passed_over`.

    Returns:
        One outcome per answer given; empty when none are recorded for this review.

    Raises:
        Refused: the rules do not allow an answer.
    """
    given: list[SignOutcome] = []
    silent = {person.id for person in passed_over(ledger, request, answers)}
    for recorded in answers.to(request.iteration, request.stage):
        if given and given[-1].decision is not None:
            break
        if recorded.person in silent:
            continue
        chosen = recorded.answer(request)
        given.append(
            sign(
                ledger, request.id, recorded.person, chosen.decision, chosen.comment, request.report_digest,
                chosen.feedback, recorded=True,
            )
        )  # fmt: skip
    return tuple(given)


def passed_over(reader: Reader, request: ReviewRequest, answers: RecordedAnswers) -> tuple[Person, ...]:
    """Whose recorded answers to a request are not given, because it asks their role for no decision."""
    charter = charter_of(iteration_of(reader, request))
    roles = {role for each in request.signers.values() for role in each}
    people = (charter.person(one.person) for one in answers.to(request.iteration, request.stage))
    return tuple(person for person in people if person is not None and person.role not in roles)


def _document(path: Path) -> Document:
    try:
        with path.open("rb") as file:
            return parse(file.read(MAX_BYTES + 1))
    except OSError as exc:
        finding = Finding(str(path), f"cannot be read: {exc.strerror}", "check the path and its permissions")
        raise CharterError("The recorded decisions cannot be read", [finding]) from exc
    except UnreadableError as exc:
        place = f"{path}:{exc.line}" if exc.line else str(path)
        raise CharterError("The recorded decisions cannot be read", [Finding(place, exc.found, exc.remedy)]) from exc


def _finding(path: Path, document: Document, error: Any) -> Finding:
    where = tuple(error["loc"])
    field = ".".join(str(step) for step in where)
    remedies = {
        "missing": "add it",
        "extra_forbidden": "remove it, or correct the spelling",
    }
    found = error["msg"] if error["type"] == "missing" else f"{error['msg']}, found {str(error['input'])[:60]!r}"
    remedy = remedies.get(error["type"], "write it as configs/replenishment/decisions.yaml does")
    return Finding(f"{path}:{document.line(where)} {field}".rstrip(), found, remedy)


def _repeated(path: Path, document: Document, file: _File) -> list[Finding]:
    """Two sets of answers to one review, or two items under one id: the file would contradict itself."""
    findings = []
    seen: set[object] = set()
    for number, review in enumerate(file.reviews):
        place = f"{path}:{document.line(('reviews', number))} reviews.{number}"
        keys: list[object] = [(review.iteration, review.stage)]
        keys += [item.id for answer in review.sign for item in answer.feedback]
        for key in keys:
            if key in seen:
                findings.append(Finding(place, f"{key} a second time", "keep one of them"))
            seen.add(key)
    return findings
