"""Channels: where a notice goes, as Apprise knows it. The only module that imports Apprise.

Every channel is given plain text, and angle brackets, which mail, Slack and Feishu read as markup or as a call to
everybody, are replaced: nothing anybody wrote becomes more than text.
"""

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from pipeline.notices.queueing import TEAM, Recipient

#: The channel that carries people's ``mailto:`` addresses: a mail server without a recipient.
MAIL = "mail"

_ADDRESS = re.compile(r"^mailto:(?P<address>[^\s@,;?&/]+@[^\s@,;?&/]+)$")
_CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f\x7f\u2028\u2029\u202a-\u202e\u2066-\u2069]+")
_BRACKETS = str.maketrans("<>", "‹›")


def team_channels(channels: Mapping[str, str]) -> tuple[str, ...]:
    """Names of the channels that hear what the whole team should."""
    return tuple(sorted(name for name in channels if name == TEAM or name.startswith(f"{TEAM}-")))


def address_of(recipient: Recipient, channels: Mapping[str, str], email: str | None = None) -> str | None:
    """The Apprise URL that reaches a recipient, or None when the settings hold no way.

    Args:
        recipient: whom.
        channels: Apprise URLs by name, from the settings.
        email: the address of the person's account, for a charter that names none.
    """
    if recipient.channel in channels:
        return channels[recipient.channel]
    found = _ADDRESS.match(recipient.channel)
    address = found["address"] if found else email
    if not address or MAIL not in channels:
        return None
    server = channels[MAIL]
    return f"{server}{'&' if '?' in server else '?'}to={quote(address)}"


def send(url: str, notice: str, title: str, body: str) -> bool:
    """Send a text.

    Args:
        url: from :func:`address_of`.
        notice: the notice's id; also a header where the channel has headers, so that a receiver can tell a repetition.
        title: the subject line.
        body: the text.

    Returns:
        Whether the channel took it. What went wrong stands in Apprise's own log.
    """
    import apprise  # half a second that only a sender needs

    # No image and no link of Apprise's own: nothing in a message may lead to a host that nobody named.
    look = apprise.AppriseAsset(
        app_id="Landed", app_desc="Landed", app_url="", image_url_mask="", image_url_logo="", async_mode=False
    )
    channel: Any = apprise.Apprise.instantiate(url, asset=look)
    if channel is None:
        return False
    channel.notify_format = apprise.NotifyFormat.TEXT
    if isinstance(getattr(channel, "headers", None), dict):
        channel.headers["X-Landed-Notice"] = notice
    if isinstance(getattr(channel, "payload_extras", None), dict):
        channel.payload_extras["notice"] = notice
    sender = apprise.Apprise(asset=look)
    sender.add(channel)
    return bool(sender.notify(body=harmless(body), title=one_line(title), body_format=apprise.NotifyFormat.TEXT))


def harmless(text: str) -> str:
    """Text without control characters, text direction marks and angle brackets; line breaks stay."""
    return _CONTROL.sub(" ", text).translate(_BRACKETS)


def one_line(text: str) -> str:
    """Harmless text on one line of at most 200 characters: a subject must not bring a header of its own."""
    return " ".join(harmless(text).split())[:200]
