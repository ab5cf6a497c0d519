"""Identity proven elsewhere: by OpenID Connect, or by a reverse proxy. Both are off unless configured.

Nobody gets an account this way: who is not known here is refused. Whatever proved the identity, the person then gets
an ordinary session, and the rules of signing are the same.
"""

from collections.abc import Mapping
from ipaddress import ip_address
from itertools import pairwise
from typing import Any

from pipeline.accounts.users import User, find_by_email, find_user
from pipeline.errors import Finding, Refused
from pipeline.language import say
from pipeline.ledger import Reader
from pipeline.settings import Settings


def user_from_claims(reader: Reader, settings: Settings, claims: Mapping[str, Any]) -> User:
    """The account an ID token speaks of.

    Args:
        reader: the ledger.
        settings: names the issuer and the claim that identifies a person.
        claims: of an ID token whose signature, audience, expiry and nonce were verified.

    Raises:
        Refused: the mode is off, another issuer, an unverified address, or nobody's account.
    """
    issuer = claims.get("iss")
    if not settings.oidc_issuer or issuer != settings.oidc_issuer:
        raise _refused(
            say("issuer"),
            say("“{issuer}” is not the one of this site", issuer=str(issuer)[:200]),
            say("see LANDED_OIDC_ISSUER"),
        )
    value = claims.get(settings.oidc_claim)
    if not isinstance(value, str) or not value.strip():
        found = say("the provider gives no claim {claim}", claim=settings.oidc_claim)
        raise _refused(say("claim"), found, say("let the provider hand it out, or see LANDED_OIDC_CLAIM"))
    if settings.oidc_claim == "email" and claims.get("email_verified") is not True:
        raise _refused(
            say("e-mail"), say("the provider has not verified the address"), say("verify it at the provider")
        )
    by_email = settings.oidc_claim == "email"
    return _known(find_by_email(reader, value) if by_email else find_user(reader, value.strip()), value)


def user_from_proxy(reader: Reader, settings: Settings, peer: str, header: str | None) -> User | None:
    """The account a reverse proxy names in its header.

    Args:
        reader: the ledger.
        settings: names the header and the addresses of the proxies.
        peer: address at the other end of the connection, not one out of a header.
        header: the header's value; None when it is not there.

    Returns:
        The account; None when the mode is off or the proxy names nobody.

    Raises:
        Refused: the header comes from elsewhere, or names nobody who has an account.
    """
    if not settings.proxy_header or header is None or not header.strip():
        return None
    if not _is_proxy(settings, peer):
        remedy = say("come by way of the proxy; its address stands in LANDED_PROXY_ADDRESSES")
        raise _refused(say("proxy header"), say("{peer} is no proxy of this site", peer=peer), remedy)
    value = header.strip()
    return _known(find_user(reader, value) or find_by_email(reader, value), value)


def client_address(settings: Settings, peer: str, forwarded_for: str | None) -> str:
    """The address a request came from; what ``X-Forwarded-For`` says counts only from our own proxies.

    Args:
        settings: names the addresses of the proxies.
        peer: address at the other end of the connection.
        forwarded_for: the header's value. Each proxy adds the address it saw at its right end; the first from the
            right that is no proxy of ours is the client, and what stands left of it anybody may have written.
    """
    hops = [peer, *reversed([part.strip() for part in (forwarded_for or "").split(",") if part.strip()])]
    for nearer, hop in pairwise(hops):
        if not _is_proxy(settings, nearer) or not _is_address(hop):
            return nearer
    return hops[-1]


def _is_proxy(settings: Settings, address: str) -> bool:
    if not _is_address(address):
        return False
    return any(ip_address(address) in network for network in settings.proxies)


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


def _known(user: User | None, value: str) -> User:
    if user is None or not user.active:
        raise _refused(
            value[:200], say("has no account here that may come in"), say("ask an administrator for an invitation")
        )
    return user


def _refused(place: str, found: str, remedy: str) -> Refused:
    return Refused("You are not signed in", [Finding(place, found, remedy)])
