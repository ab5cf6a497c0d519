"""Secrets a program carries: links, sessions and tokens. Only their hashes are ever stored.

A secret has 256 random bits, so a plain SHA-256 of it cannot be guessed back; slow hashing is for passwords.
"""

import hashlib
import secrets

_BYTES = 32


def new_secret(prefix: str = "") -> str:
    """A fresh secret of 256 random bits, safe in a URL or header; the prefix lets scanners of leaks recognise it."""
    return prefix + secrets.token_urlsafe(_BYTES)


def secret_digest(secret: str) -> str:
    """What is stored of a secret: its SHA-256, 64 hexadecimal digits."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()
