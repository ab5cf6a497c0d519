"""``landed review serve``: the review site, reachable from this machine only unless it is made safe to open."""

import logging
from ipaddress import ip_address
from typing import Annotated

import typer

from pipeline.cli.reviews import review
from pipeline.errors import Finding, Refused

_LEAST_SECRET = 32


@review.command()
def serve(
    host: Annotated[
        str, typer.Option(help="address to listen on; others than this machine need accounts")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="port to listen on")] = 8710,
) -> None:
    """Show the review site until Ctrl-C."""
    from pipeline.ledger import Ledger
    from pipeline.logs import begin, structured
    from pipeline.settings import Settings

    settings = Settings()
    with Ledger(settings.ledger, kept_open=True) as ledger:
        if not _loopback(host):
            require_safe(ledger, settings.secret.get_secret_value(), settings.site_url, host)
        begin("review", settings)
        import uvicorn

        from pipeline.web.app import create_app
        from pipeline.web.wire import Bounded

        app = create_app(settings, ledger, hosts=() if _any_address(host) else (host,))
        address = settings.site_url or f"http://{host}:{port}"
        if structured():
            logging.getLogger("pipeline.web").info("the review site listens at %s", address)
        else:
            typer.echo(f"  review site  {address}   Ctrl-C stops it")
        uvicorn.run(
            app, host=host, port=port, http=Bounded, log_config=None, log_level="warning", server_header=False,
            proxy_headers=False,
        )  # fmt: skip


def require_safe(ledger: object, secret: str, site_url: str, host: str) -> None:
    """Go on only if the site may be opened to other machines.

    Raises:
        Refused: there is no account, no secret, or no address by which people come.
    """
    from pipeline.accounts import any_account

    findings = []
    if not any_account(ledger):  # type: ignore[arg-type]
        remedy = "make one first: `landed people invite ID --name NAME --admin`"
        findings.append(Finding("accounts", "there is none, so anybody could claim to be anybody", remedy))
    if len(secret) < _LEAST_SECRET:
        remedy = (
            f"put {_LEAST_SECRET} random characters or more into LANDED_SECRET, or a file named in LANDED_SECRET_FILE"
        )
        findings.append(Finding("LANDED_SECRET", "missing" if not secret else "too short", remedy))
    if not site_url:
        remedy = "set it to the address people type, such as https://landed.example.com"
        findings.append(Finding("LANDED_SITE_URL", "missing: the site answers to known names only", remedy))
    if findings:
        raise Refused(f"The site is not opened to other machines at {host}", findings)


def _loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def _any_address(host: str) -> bool:
    return host in {"0.0.0.0", "::"}  # noqa: S104 - compared with, not listened on
