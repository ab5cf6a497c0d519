"""Who is at the keyboard of the command line.

Without accounts, the operator of the machine is taken at their word. Once there are accounts, a token says who it
is, or the installation's owner has said that whoever can use this machine is trusted.
"""

from dataclasses import dataclass

from pipeline.accounts.tokens import bearer_of, note_use
from pipeline.accounts.users import any_account
from pipeline.errors import Finding, Refused
from pipeline.ledger import Ledger
from pipeline.settings import Settings


@dataclass(frozen=True)
class Operator:
    """Who a command acts as.

    Attributes:
        id: the person.
        trusted: whether they were taken at their word, as the owner of the machine; false for the owner of a token.
    """

    id: str
    trusted: bool


def operator(ledger: Ledger, settings: Settings, claimed: str | None = None) -> Operator:
    """Who a command that changes something acts as.

    Args:
        ledger: the ledger.
        settings: the token, its file, or the setting that trusts this machine.
        claimed: what was typed after ``--as``; must be the token's owner when there is a token.

    Raises:
        Refused: there are accounts and nothing proves who this is.
    """
    secret = settings.token.get_secret_value().strip()
    if secret and any_account(ledger):
        return Operator(_owner(ledger, secret, claimed), trusted=False)
    if settings.trust_local or not any_account(ledger):
        return Operator(claimed or settings.user, trusted=True)
    remedy = (
        "give your API token in LANDED_TOKEN, or in LANDED_TOKEN_FILE the name of a file of mode 600 that holds it; "
        "the owner of this installation may set LANDED_TRUST_LOCAL=true instead"
    )
    found = "this installation has accounts, and nothing says whose command this is"
    raise Refused("Who are you?", [Finding(claimed or settings.user, found, remedy)])


def _owner(ledger: Ledger, secret: str, claimed: str | None) -> str:
    bearer = bearer_of(ledger, secret)
    if bearer is None:
        found = "it is unknown, has expired or was revoked"
        raise Refused("The token does not count", [Finding("token", found, "make a new one: `landed people tokens`")])
    if bearer.token.read_only:
        remedy = "use one that may write, or sign on the site"
        raise Refused("The token does not count", [Finding(f"token {bearer.token.name}", "it may only look", remedy)])
    if claimed is not None and claimed != bearer.user.id:
        found = f"the token is {bearer.user.id}'s"
        raise Refused("The token is somebody else's", [Finding(claimed, found, "leave out --as, or use their token")])
    note_use(ledger, bearer.token)
    return bearer.user.id
