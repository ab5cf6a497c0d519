"""``landed people``: accounts, invitations, delegations and API tokens from the command line."""

from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.cli.app import app, group
from pipeline.cli.results import AsJson, print_json

if TYPE_CHECKING:
    from pipeline.accounts import Token
    from pipeline.ledger import Ledger
    from pipeline.settings import Settings

people = group("Who may sign in, who stands in for whom, and their API tokens.")
app.add_typer(people, name="people")

_DAY = "%Y-%m-%d"

UserId = Annotated[str, typer.Argument(help="the person's id in the charters", show_default=False)]
By = Annotated[
    str | None,
    typer.Option("--as", help="who you are; the token's owner, or LANDED_USER, if not given", show_default=False),
]


@people.command(name="list")
def list_people(
    as_json: AsJson = False,  # noqa: FBT002 - a flag of the command line
) -> None:
    """Show all accounts with their rights and roles, and who stands in for whom."""
    from pipeline.accounts import delegations, users
    from pipeline.accounts.naming import people_of_all
    from pipeline.cli.screens import console, table
    from pipeline.ledger import Ledger
    from pipeline.settings import Settings

    with Ledger(Settings().ledger) as ledger:
        roles: dict[str, list[str]] = {}
        for project, named in people_of_all(ledger).items():
            for person in named:
                roles.setdefault(person.id, []).append(f"{project}: {person.role}")
        today = ledger.now().date()
        lent = [one for one in delegations(ledger) if not one.ended_at and one.ends >= today]
        shown = users(ledger)
    if as_json:
        told = [
            {
                "id": one.id,
                "name": one.name,
                "email": one.email,
                "admin": one.admin,
                "auditor": one.auditor,
                "active": one.active,
                "has_password": one.has_password,
                "roles": roles.get(one.id, []),
            }
            for one in shown
        ]
        print_json({"people": told, "delegations": lent})
        return
    if not shown:
        console().print("There are no accounts. `landed people invite NAME --admin` makes the first.")
    else:
        made = table("id", "name", "e-mail", "rights", "state", "roles by the charters")
        for user in shown:
            rights = [word for word, held in (("admin", user.admin), ("auditor", user.auditor)) if held]
            state = "deactivated" if not user.active else "active" if user.has_password else "no password yet"
            mine = "\n".join(roles.get(user.id, [])) or "–"
            made.add_row(user.id, user.name, user.email or "–", ", ".join(rights) or "–", state, mine)
        console().print(made)
    if lent:
        made = table("delegation", "project", "role", "from", "to", "first day", "last day")
        for one in lent:
            made.add_row(one.id, one.project, one.role, one.giver, one.delegate, str(one.starts), str(one.ends))
        console().print(made)


@people.command()
def invite(
    user_id: UserId,
    name: Annotated[str | None, typer.Option(help="the name colleagues read; the id if not given")] = None,
    email: Annotated[str, typer.Option(help="e-mail address, also good for signing in", show_default=False)] = "",
    *,
    admin: Annotated[bool, typer.Option("--admin", help="may manage accounts; is no role in any project")] = False,
    auditor: Annotated[bool, typer.Option("--auditor", help="may read every project")] = False,
    reset: Annotated[bool, typer.Option("--reset", help="a link to a new password, for whom has one")] = False,
    by: By = None,
) -> None:
    """Make an account and print its one-time link; the first admin is made so, on the machine itself."""
    from pipeline.accounts import invite as make
    from pipeline.accounts import operator
    from pipeline.accounts import reset as renew
    from pipeline.accounts.invitations import PATH
    from pipeline.ledger import Ledger
    from pipeline.settings import Settings

    settings = Settings()
    with Ledger(settings.ledger) as ledger:
        who = operator(ledger, settings, by)
        if reset:
            made = renew(ledger, user_id, by=who.id, trusted=who.trusted)
        else:
            made = make(
                ledger, user_id, name or user_id, email, by=who.id, admin=admin, auditor=auditor, trusted=who.trusted
            )
    typer.secho(f"✓ a one-time link for {user_id}, valid until {made.expires_at[:16]} UTC", bold=True, fg="green")
    typer.echo(f"  {settings.site_url.rstrip('/') or 'the review site'}{PATH}{made.secret}")
    typer.echo("  It is shown this once. Hand it over yourself; whoever has it can set the password.")
    typer.echo(f"  Without the site: landed people accept {user_id}")


@people.command()
def accept(user_id: UserId) -> None:
    """Use a one-time link here: asks for what follows the last slash of the link, and for the new password."""
    from pipeline.accounts import accept as use
    from pipeline.accounts import invited
    from pipeline.errors import Finding, Refused
    from pipeline.ledger import Ledger
    from pipeline.settings import Settings

    secret = typer.prompt("link", hide_input=True).strip().rpartition("/")[2]
    with Ledger(Settings().ledger) as ledger:
        user = invited(ledger, secret)
        if user is None or user.id != user_id:
            finding = Finding("link", f"it is no valid link of {user_id}", "ask an administrator for a new one")
            raise Refused("This link does not work (any more)", [finding])
        use(ledger, secret, typer.prompt("new password", hide_input=True, confirmation_prompt=True))
    typer.secho(f"✓ {user_id} has a password", bold=True, fg="green")


@people.command()
def deactivate(user_id: UserId, by: By = None) -> None:
    """Shut a person out at once: sessions, tokens and delegations end, what they did stays."""
    from pipeline.accounts import deactivate as shut_out
    from pipeline.accounts import operator
    from pipeline.ledger import Ledger
    from pipeline.settings import Settings

    settings = Settings()
    with Ledger(settings.ledger) as ledger:
        who = operator(ledger, settings, by)
        shut_out(ledger, user_id, by=who.id, trusted=who.trusted)
    typer.secho(f"✓ {user_id} is deactivated", bold=True, fg="green")


@people.command()
def reactivate(user_id: UserId, by: By = None) -> None:
    """Let a person in again, with the password they had."""
    from pipeline.accounts import operator
    from pipeline.accounts import reactivate as let_in
    from pipeline.ledger import Ledger
    from pipeline.settings import Settings

    settings = Settings()
    with Ledger(settings.ledger) as ledger:
        who = operator(ledger, settings, by)
        let_in(ledger, user_id, by=who.id, trusted=who.trusted)
    typer.secho(f"✓ {user_id} is active", bold=True, fg="green")


@people.command()
def delegate(
    project: Annotated[str | None, typer.Argument(help="the project", show_default=False)] = None,
    to: Annotated[str | None, typer.Argument(help="who plays your role meanwhile", show_default=False)] = None,
    first: Annotated[
        datetime | None, typer.Option("--from", formats=[_DAY], help="first day in UTC; today if not given")
    ] = None,
    last: Annotated[
        datetime | None, typer.Option("--to", formats=[_DAY], help="last day in UTC", show_default=False)
    ] = None,
    end: Annotated[
        str | None, typer.Option("--end", metavar="DELEGATION", help="end this delegation now", show_default=False)
    ] = None,
    by: By = None,
) -> None:
    """Hand your role in a project to somebody else for some days, or end that."""
    from pipeline.accounts import delegate as hand_over
    from pipeline.accounts import end_delegation, operator
    from pipeline.ledger import Ledger
    from pipeline.settings import Settings

    settings = Settings()
    if end is None and (project is None or to is None or last is None):
        raise typer.BadParameter("name the project, who plays your role, and the last day: PROJECT TO --to DATE")
    with Ledger(settings.ledger) as ledger:
        who = operator(ledger, settings, by)
        if end is not None:
            made = end_delegation(ledger, end, by=who.id, trusted=who.trusted)
            typer.secho(f"✓ {made.delegate} no longer plays {made.giver}'s role", bold=True, fg="green")
            return
        assert project is not None and to is not None and last is not None  # noqa: S101, PT018 - asked above
        starts = first.date() if first else ledger.now().date()
        made = hand_over(ledger, project, who.id, to, starts, last.date())
    typer.secho(f"✓ {to} plays {made.giver}'s role ({made.role}) in {project}", bold=True, fg="green")
    typer.echo(f"  from {made.starts} to {made.ends}; landed people delegate --end {made.id} ends it before")
    typer.echo(f"  to sign: landed review sign … --as {to} --for {made.giver}")


@people.command()
def tokens(
    new: Annotated[str | None, typer.Option("--new", metavar="NAME", help="make one, called so")] = None,
    days: Annotated[int, typer.Option(help="days it is valid, 1 to 365")] = 90,
    *,
    read_only: Annotated[bool, typer.Option("--read-only", help="it may only look")] = False,
    revoke: Annotated[str | None, typer.Option("--revoke", metavar="TOKEN", help="end this one for good")] = None,
    by: By = None,
    as_json: AsJson = False,
) -> None:
    """Show your API tokens, make one or revoke one; asks for your password unless a token proves who you are."""
    from pipeline.accounts import make_token, revoke_token, tokens_of
    from pipeline.ledger import Ledger
    from pipeline.settings import Settings

    settings = Settings()
    with Ledger(settings.ledger) as ledger:
        who = _proven(ledger, settings, by)
        if new is not None:
            made = make_token(ledger, who, new, days=days, read_only=read_only)
            typer.secho(f"✓ token {made.token.id}, valid until {made.token.expires_at[:10]}", bold=True, fg="green")
            typer.echo(f"  {made.secret}")
            typer.echo("  It is shown this once. Keep it in a file of mode 600 and name the file in LANDED_TOKEN_FILE.")
        elif revoke is not None:
            gone = revoke_token(ledger, revoke, by=who)
            typer.secho(f"✓ token {gone.id} ({gone.name}) of {gone.user} is revoked", bold=True, fg="green")
        elif as_json:
            print_json(tokens_of(ledger, who))
        else:
            _show_tokens(tokens_of(ledger, who), now=ledger.now().isoformat())


def _proven(ledger: "Ledger", settings: "Settings", claimed: str | None) -> str:
    """Who asks, by token or password: what they get outlives this machine's trust in whoever uses it."""
    from pipeline.accounts import operator, prove

    if settings.token.get_secret_value():
        return operator(ledger, settings, claimed).id
    name = claimed or settings.user
    return prove(ledger, name, typer.prompt(f"password of {name}", hide_input=True, err=True), "command line").id


def _show_tokens(found: "tuple[Token, ...]", now: str) -> None:
    from pipeline.cli.screens import console, table

    if not found:
        console().print("You have no tokens. `landed people tokens --new NAME` makes one.")
        return
    made = table("token", "name", "may", "made", "last used", "until", "state")
    for one in found:
        state = "revoked" if one.revoked_at else "expired" if one.expires_at <= now else "valid"
        may = "look" if one.read_only else "look and sign"
        used = one.last_used_at[:16] if one.last_used_at else "never"
        made.add_row(one.id, one.name, may, one.made_at[:10], used, one.expires_at[:10], state)
    console().print(made)
