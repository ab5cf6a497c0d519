"""Passwords: how they are kept, compared and judged.

Argon2id with the parameters of its library (RFC 9106, second recommended option). What a password must be follows
NIST SP 800-63B, section 5.1.1.2: a length, no rules on its composition, and a refusal of what everybody tries first.
"""

import re
import threading
import unicodedata
from functools import cache

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from pipeline.accounts.secrets import new_secret
from pipeline.errors import Finding
from pipeline.language import say

MINIMUM_LENGTH = 12
MAXIMUM_LENGTH = 1024

_HASHER = PasswordHasher()
# One hash takes 64 MiB: many people signing in together must not take all memory.
_AT_ONCE = threading.BoundedSemaphore(4)

#: What stands at the head of every list of leaked passwords, without its digits and signs.
_COMMON = (
    "password", "passwort", "passw", "senha", "contrasena", "motdepasse", "mima", "qwerty", "qwertz", "azerty",
    "asdfgh", "zxcvbn", "iloveyou", "welcome", "letmein", "changeme", "administrator", "admin", "default", "secret",
    "monkey", "dragon", "football", "baseball", "sunshine", "princess", "superman", "trustno", "whatever", "testtest",
    "landed", "woaini", "abc",
)  # fmt: skip
_ROWS = ("01234567890123456789", "abcdefghijklmnopqrstuvwxyz", "qwertyuiopasdfghjklzxcvbnm", "1q2w3e4r5t6y7u8i9o0p")
_LEET = str.maketrans("013457@$!", "oleastasi")
_DISTINCT = 5
_SHORTEST_WORD = 3
_LETTERS_LEFT = 4


def hashed(password: str) -> str:
    """The password as it is kept: Argon2's text with a salt of its own and the parameters it was made with."""
    with _AT_ONCE:
        return _HASHER.hash(_bytes(password))


def matches(kept: str | None, password: str) -> bool:
    """Whether it is the password; takes the same work when there is none to compare with.

    Args:
        kept: what :func:`hashed` gave; None for an account that does not exist or has no password.
        password: what was typed.
    """
    with _AT_ONCE:
        try:
            same = _HASHER.verify(kept or _nobodys(), _bytes(password))
        except (VerificationError, InvalidHashError):
            return False
    return same and kept is not None


def outdated(kept: str) -> bool:
    """Whether it was kept under other parameters than today's and should be hashed anew."""
    return _HASHER.check_needs_rehash(kept)


def objection(password: str, *own: str) -> Finding | None:
    """Why this may not be a password, or None. Pure.

    Args:
        password: what was typed.
        own: words an attacker would try for this person: names, e-mail address, projects.
    """
    plain = unicodedata.normalize("NFKC", password)
    if len(plain) < MINIMUM_LENGTH:
        remedy = say(
            "take at least {least} characters; a few words in a row are easy to keep in mind",
            least=MINIMUM_LENGTH,
        )
        return Finding(say("password"), say("it has {count} characters", count=len(plain)), remedy)
    if len(plain) > MAXIMUM_LENGTH:
        return Finding(
            say("password"),
            say("it has {count} characters", count=len(plain)),
            say("stay within {limit}", limit=MAXIMUM_LENGTH),
        )
    if _guessable(plain.casefold(), own):
        remedy = say("take some words that have nothing to do with you, the project or each other")
        return Finding(say("password"), say("it is one of the first that anybody would try"), remedy)
    return None


def _guessable(plain: str, own: tuple[str, ...]) -> bool:
    if len(set(plain)) < _DISTINCT or any(plain in row or plain in row[::-1] for row in _ROWS):
        return True
    parts = (part for text in own for part in re.split(r"[\W_]+", text.casefold()))
    words = {part for part in parts if len(part) >= _SHORTEST_WORD}.union(_COMMON)
    # Digits and signs at the ends are what people add; those inside may stand for letters.
    core = re.sub(r"^[\W\d_]+|[\W\d_]+$", "", plain)
    return any(_is_made_of(text, words) for text in (plain, core.translate(_LEET)))


def _is_made_of(text: str, words: set[str]) -> bool:
    """Whether hardly a letter is left once the words are taken out."""
    letters = "".join(filter(str.isalpha, text))
    if len(letters) >= _SHORTEST_WORD and any(letters in row for row in _ROWS):
        return True
    left = letters
    for word in sorted(words, key=len, reverse=True):
        left = left.replace(word, "")
    return left != letters and len(left) < _LETTERS_LEFT


def _bytes(password: str) -> bytes:
    # The same letters may be typed in two ways; keyboards differ in which.
    return unicodedata.normalize("NFKC", password[: 4 * MAXIMUM_LENGTH]).encode("utf-8", "surrogatepass")


@cache
def _nobodys() -> str:
    """A hash no password fits, so that an unknown name takes as long as a known one."""
    return _HASHER.hash(new_secret())
