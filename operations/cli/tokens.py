"""`attendance token`: tokens of programs that are no cameras."""

import click
import sqlalchemy as sa

from attendance.database.access.tokens import hash_token, new_token
from attendance.database.models import ApiToken, AuditAction, TokenRole
from attendance.database.opening import open_session
from attendance.settings import load_settings
from attendance.tables.fields import TOKEN_NAME
from operations.cli.arguments import checked
from operations.cli.noting import noted


@click.group()
def token() -> None:
    """Issue and revoke tokens for enrolment tools, monitoring, playing recordings and services on other machines."""


@token.command()
@click.argument("name")
@click.option(
    "--role",
    required=True,
    type=click.Choice([role.value for role in TokenRole]),
    help="enrolment: Recognize, EncodeFaces, GetStatus; monitoring: GetStatus; "
    "recorder: `attendance recordings run`; "
    "recording: playing recordings, beside the token of the camera that took them; "
    "replica: GetIndex, for a recognition service on another machine.",
)
def add(name: str, role: str) -> None:
    """Issue a token under NAME and print it, once."""
    name = checked(TOKEN_NAME, "The token's name", name)
    made = new_token("op")
    with open_session(load_settings().database_url) as db:
        if db.scalar(sa.select(ApiToken).where(ApiToken.name == name)):
            raise click.ClickException(f"There is a token {name!r} already; revoke it first.")
        db.add(ApiToken(name=name, role=TokenRole(role), token_hash=hash_token(made)))
        noted(db, AuditAction.TOKEN_MADE, subject=name, details={"role": role})
    click.echo(f"Token {name}; it is not shown again:", err=True)
    click.echo(made)


@token.command("list")
def list_tokens() -> None:
    """List tokens by name; the tokens themselves are not kept."""
    with open_session(load_settings().database_url) as db:
        tokens = db.scalars(sa.select(ApiToken).order_by(ApiToken.name)).all()
        if not tokens:
            click.echo("No tokens yet.")
        for one in tokens:
            click.echo(f"{one.name:<30} {one.role.value:<11} since {one.created_at:%Y-%m-%d}")


@token.command()
@click.argument("name")
def revoke(name: str) -> None:
    """Withdraw the token NAME."""
    with open_session(load_settings().database_url) as db:
        found = db.scalar(sa.select(ApiToken).where(ApiToken.name == name))
        if found is None:
            raise click.ClickException(f"There is no token {name!r}; `attendance token list` shows them.")
        db.delete(found)
        noted(db, AuditAction.TOKEN_ENDED, subject=name)
    click.echo(f"The token {name} is revoked.")
