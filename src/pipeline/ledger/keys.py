"""The ledger's key: an Ed25519 pair (RFC 8032) that signs sign-offs and heads, in files beside the ledger.

The private half is in a file that only its owner may read; the public half is in the chain itself (event ``audit.key``)
and in a file to be handed to auditors. Whoever can write the database but not read the key file can sign nothing.

A key is handed over to the next by one event that both sign: the old one vouches for the new, and the new one for the
whole chain before it. From then on, whoever stole the old one can sign nothing new, and cannot write the past anew.
"""

import os
from dataclasses import dataclass
from pathlib import Path

from pipeline.errors import Finding, LedgerError

PRIVATE, PUBLIC = "ledger.key", "ledger.pub"
#: The private half of the next key, until the event that names it is on record.
NEXT = "ledger.key.next"
#: Hexadecimal digits of a signature.
_LENGTH = 128
_HEADLINE = "The ledger's key cannot be used"


@dataclass(frozen=True)
class Key:
    """A pair that can sign.

    Attributes:
        seed: the private half, 32 bytes.
        public: the public half, 64 hexadecimal digits.
    """

    seed: bytes
    public: str

    def __repr__(self) -> str:
        return f"Key({self.public})"

    def sign(self, text: str) -> str:
        """The signature of a text, 128 hexadecimal digits."""
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

        return Ed25519PrivateKey.from_private_bytes(self.seed).sign(text.encode()).hex()


def signed(public: str, text: str, signature: str) -> bool:
    """Whether a signature is this key's of this text; anything that is no key or no signature is none."""
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    try:
        Ed25519PublicKey.from_public_bytes(bytes.fromhex(public)).verify(bytes.fromhex(signature), text.encode())
    except (InvalidSignature, ValueError):
        return False
    return True


def handed_over(old: str, new: str, text: str, signature: str) -> bool:
    """Whether both keys signed a text, the old one first."""
    return signed(old, text, signature[:_LENGTH]) and signed(new, text, signature[_LENGTH:])


def of_event(digest: str) -> str:
    """What is signed of an event."""
    return f"landed event {digest}"


def of_head(seq: int, digest: str, at: str) -> str:
    """What is signed of a head that is noted down."""
    return f"landed head {seq} {digest} {at}"


def read(folder: Path, name: str = PRIVATE) -> Key | None:
    """The key of a folder, or None where none was made.

    Raises:
        LedgerError: others may read the file, or it holds no key.
    """
    path = folder / name
    try:
        mode = path.stat().st_mode & 0o777
        if mode & 0o077:
            raise _unusable(path, f"others may read it: its mode is {mode:o}", f"chmod 600 {path}")
        return _pair(bytes.fromhex(path.read_text(encoding="ascii").strip()))
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as exc:
        raise _unusable(path, f"it cannot be read: {exc}", "put it back from where it is kept safe") from exc


def make(folder: Path, name: str = PRIVATE) -> Key:
    """Make a pair; the folder gets mode 700 and the private half's file mode 600.

    Raises:
        LedgerError: there is one already, or the folder cannot be written.
    """
    path = folder / name
    key = _pair(os.urandom(32))
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with os.fdopen(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "w", encoding="ascii") as file:
            file.write(key.seed.hex() + "\n")
            file.flush()
            os.fsync(file.fileno())
        if name == PRIVATE:
            (folder / PUBLIC).write_text(key.public + "\n", encoding="ascii")
    except FileExistsError as exc:
        raise _unusable(path, "it is there already", "use it; `landed audit rotate-key` hands over to another") from exc
    except OSError as exc:
        raise _unusable(path, f"it cannot be written: {exc.strerror}", "give write access to the data folder") from exc
    return key


def settle(folder: Path) -> None:
    """Put the next key in the place of the old one, whose private half is gone from here then.

    Raises:
        LedgerError: a file cannot be written.
    """
    key = read(folder, NEXT)
    if key is None:
        return
    try:
        (folder / NEXT).replace(folder / PRIVATE)
        (folder / PUBLIC).write_text(key.public + "\n", encoding="ascii")
    except OSError as exc:
        raise _unusable(
            folder, f"it cannot be written: {exc.strerror}", "give write access to the data folder"
        ) from exc


def _pair(seed: bytes) -> Key:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    return Key(seed, Ed25519PrivateKey.from_private_bytes(seed).public_key().public_bytes_raw().hex())


def _unusable(path: Path, found: str, remedy: str) -> LedgerError:
    return LedgerError(_HEADLINE, [Finding(str(path), found, remedy)])
