"""A review site on another machine, as ``landed review`` talks to it: its JSON API and a token."""

import json
from collections.abc import Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import quote, urlsplit

from pipeline.cli.results import print_json
from pipeline.errors import DataError, Finding, LandedError, Refused
from pipeline.settings import Settings

if TYPE_CHECKING:
    import httpx

    from pipeline.review.items import FeedbackItem

_SECONDS = 30.0
_TOKEN = "put your API token into LANDED_TOKEN, or into a file named in LANDED_TOKEN_FILE"  # noqa: S105 - a sentence
#: Names of this machine, where a token may travel without TLS.
_HERE = frozenset({"127.0.0.1", "localhost", "::1"})


class Remote:
    """The reviews of a site at ``LANDED_URL``.

    Args:
        settings: address and token.
        transport: stands in for the network in tests.

    Raises:
        Refused: there is no token, or the address would send it through the net in the clear.
    """

    def __init__(self, settings: Settings, transport: "httpx.BaseTransport | None" = None) -> None:
        import httpx

        secret = settings.token.get_secret_value().strip()
        parts = urlsplit(settings.url)
        if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in _HERE):
            found = "it is no https address, and a token would travel in the clear"
            raise Refused("The site is not asked", [Finding("LANDED_URL", found, "write https://…")])
        if not secret:
            raise Refused("The site wants to know who you are", [Finding("LANDED_TOKEN", "missing", _TOKEN)])
        self._client = httpx.Client(
            base_url=f"{settings.url.rstrip('/')}/api/v1/", headers={"authorization": f"Bearer {secret}"},
            timeout=_SECONDS, transport=transport, follow_redirects=False,
        )  # fmt: skip

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._client.close()

    def reviews(self, project: str | None = None) -> list[dict[str, Any]]:
        """The open reviews, as ``GET /api/v1/reviews`` says them."""
        found: list[dict[str, Any]] = self._ask("GET", "reviews", params={"project": project} if project else None)
        return found

    def review(self, review_id: str) -> dict[str, Any]:
        """One review in full."""
        found: dict[str, Any] = self._ask("GET", f"reviews/{quote(review_id, safe='')}")
        return found

    def me(self) -> str:
        """The id of the token's owner."""
        return str(self._ask("GET", "me")["id"])

    def sign(
        self,
        review_id: str,
        decision: str,
        comment: str,
        report: str,
        feedback: Sequence["FeedbackItem"] = (),
        on_behalf_of: str | None = None,
    ) -> dict[str, Any]:
        """Sign as the token's owner, or for somebody who handed their role to them.

        Raises:
            Refused: the rules of signing, or the token's rights, do not allow it.
        """
        body = {
            "decision": decision, "comment": comment, "report": report,
            "on_behalf_of": on_behalf_of,
            "feedback": [item.model_dump(mode="json") for item in feedback],
        }  # fmt: skip
        signed: dict[str, Any] = self._ask("POST", f"reviews/{quote(review_id, safe='')}/sign", json=body)
        return signed

    def _ask(self, method: str, path: str, **more: Any) -> Any:
        import httpx

        try:
            answer = self._client.request(method, path, **more)
        except httpx.HTTPError as exc:
            finding = Finding(
                str(self._client.base_url.host),
                str(exc) or type(exc).__name__,
                "check LANDED_URL, or ask whoever runs the site",
            )
            raise DataError("The site cannot be reached", [finding]) from exc
        try:
            said = answer.json()
        except json.JSONDecodeError as exc:
            finding = Finding("LANDED_URL", f"answered {answer.status_code} with something else", "check the address")
            raise DataError("This is no review site", [finding]) from exc
        if answer.is_success:
            return said
        raise _refusal(answer.status_code, said)


def _refusal(status: int, said: Any) -> LandedError:
    told = said if isinstance(said, dict) else {}
    findings = [
        Finding(str(one.get("place", "")), str(one.get("found", "")), str(one.get("remedy", "")))
        for one in told.get("findings", ())
        if isinstance(one, dict)
    ]
    title = str(told.get("title", f"The site answered {status}"))
    if status == 401:
        findings = [Finding("LANDED_TOKEN", "it is unknown, has expired or was revoked", _TOKEN)]
    if not findings:
        findings = [
            Finding("the site", f"answered {status}", f"name {told.get('request_id', 'the time')} if you ask for help")
        ]
    return Refused(title, findings) if status < 500 else DataError(title, findings)


def list_reviews(settings: Settings, project: str | None, *, as_json: bool = False) -> None:
    """Show a site's open reviews."""
    from rich.markup import escape

    from pipeline.cli.screens import console, table

    with Remote(settings) as site:
        found = site.reviews(project)
    if as_json:
        print_json(found)
        return
    if not found:
        console().print("No review waits for anybody.")
        return
    made = table("review", "project", "iteration", "stage", "due", "signed", "missing", right=("iteration",))
    for one in found:
        cells = (
            one["id"], one["title"], str(one["iteration"]), one["stage"], one["due_at"][:10],
            ", ".join(f"{answer['role']}: {answer['decision']}" for answer in one["signoffs"]) or "–",
            ", ".join(f"{person['person']} ({person['role']})" for person in one["missing"]),
        )  # fmt: skip
        made.add_row(*map(escape, cells))
    console().print(made)


def show_review(settings: Settings, review_id: str, *, as_json: bool = False) -> None:
    """Show one of a site's reviews."""
    from rich.markup import escape

    from pipeline.cli.screens import console, table

    with Remote(settings) as site:
        found = site.review(review_id)
    if as_json:
        print_json(found)
        return
    out = console()
    out.print(
        f"[bold]{escape(found['title'])}[/]: iteration {found['iteration']}, stage {escape(found['stage'])}, "
        f"{found['state']}"
    )
    made = table("figure", "baseline", "model", right=("baseline", "model"))
    for kpi in found["kpis"]:
        made.add_row(escape(kpi["title"]), _figure(kpi, "baseline"), _figure(kpi, "value"))
    out.print(made)
    for one in found["blocking"]:
        out.print(f"[red]✗ {escape(one['title'])}: {escape(one['reason'])}[/]")
    for one in found["open_controls"]:
        out.print(f"[red]✗ {escape(one['text'])} ({one['id']}, for {one['role']}); it bars advance[/]")
    for one in found["waived"]:
        said = f"{one['person']} waived it until {one['until']}, after the report: {one['reason']}"
        out.print(f"[yellow]! {escape(one['text'])} ({one['id']}): {escape(said)}[/]")
    for answer in found["signoffs"]:
        out.print(f"✓ {answer['person']}, {answer['role']}: {answer['decision']}: {escape(answer['comment'])}")
    for choice in found["choices"] if found["state"] == "open" else ():
        needs = ", ".join(choice["needs"]) or "nobody else"
        out.print(
            f"  {choice['decision']:<9} needs {needs}" if choice["available"] else f"  {choice['decision']:<9} ✗ barred"
        )
    if found["decision"]:
        out.print(f"Decided: {found['decision']}")
    out.print(f"hash      {found['report']}")


def _figure(kpi: dict[str, Any], side: str) -> str:
    from pipeline.evaluation.figures import show

    # The unit stands once, behind the figure; its interval goes below, so that narrow terminals hold it.
    value, low, high = (
        show(one, kpi["unit"] if place == 0 or kpi["unit"] == "share" else "") for place, one in enumerate(kpi[side])
    )
    return f"{value}\n{low.removesuffix(' %')}–{high}"


def sign(
    settings: Settings,
    review_id: str,
    decision: str,
    comment: str,
    report: str,
    feedback: Sequence["FeedbackItem"],
    *,
    claimed: str | None,
    on_behalf_of: str | None,
) -> None:
    """Sign on a site as the token's owner.

    Raises:
        Refused: somebody else was named after ``--as``, or the rules do not allow it.
    """
    import typer

    with Remote(settings) as site:
        owner = site.me()
        if claimed is not None and claimed != owner:
            finding = Finding(claimed, f"the token is {owner}'s", "leave out --as, or use their token")
            raise Refused("The token is somebody else's", [finding])
        signed = site.sign(review_id, decision, comment, report, feedback, on_behalf_of)
    typer.secho(f"✓ {signed['signoff']['person']} signed {decision} on {review_id}", bold=True, fg="green")
    if signed["decision"] is None:
        typer.echo(f"  still asked: {', '.join(signed['waiting'])}")
        return
    typer.echo(f"  decided: {signed['decision']}; the site's own dispatcher applies it")
