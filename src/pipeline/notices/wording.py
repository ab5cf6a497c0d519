"""The text of a notice in one language: a subject line and a body."""

from typing import Any

from pipeline.language import Translator, say, translator
from pipeline.notices.queueing import Notice, NoticeKind

#: What each kind of notice says first.
HEADINGS: dict[NoticeKind, str] = {
    "review_requested": say("Your decision is asked for"),
    "review_reminder": say("Half of the time to answer is over"),
    "review_due": say("Your answer is due"),
    "review_overdue": say("A decision is overdue"),
    "decision_taken": say("A decision was taken"),
    "iteration_failed": say("An iteration failed"),
    "retraining_triggered": say("A new iteration was triggered"),
    "alarm": say("Alarm"),
    "rollback_proposed": say("Going back a stage is proposed"),
    "rows_refused": say("Rows of your table were refused"),
}

#: Names of figures that this room writes.
FIGURES = (say("Baseline on the same units"), say("Target"), say("Started by"), say("Last change"))


def worded(notice: Notice, site: str, language: str) -> tuple[str, str]:
    """Title and body.

    Args:
        notice: what to tell.
        site: address of the review site.
        language: of the reader.
    """
    speaker = translator(language)
    heading = speaker.show(HEADINGS[notice.kind])
    title = f"[Landed] {notice.project}: {heading} – {speaker.show(notice.subject)}"
    lines = [f"{heading}: {speaker.show(notice.subject)}", "", speaker.show(notice.sentence)]
    if notice.figures:
        lines += ["", *(_figure(speaker, name, value) for name, value in notice.figures.items())]
    lines += ["", site.rstrip("/") + notice.link, ""]
    if giver := notice.recipient.stands_in_for:
        lines.append(speaker.show(say("You are told because you stand in for {giver}.", giver=giver)))
    lines.append(speaker.show(say("Notice {id}. If it comes twice, the number is the same.", id=notice.id)))
    return title, "\n".join(lines)


def _figure(speaker: Translator, name: str, value: Any) -> str:
    """A line for one figure; a word of ours for a name is translated, anything else is shown as it is."""
    shown = f"{value:g}" if isinstance(value, float) else speaker.show(value)
    between = "：" if speaker.language == "zh_Hans" else ": "
    return f"- {speaker.text(name.replace('_', ' '))}{between}{shown}"
