"""`attendance config`: every setting, its value and its meaning."""

import click
from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo

from attendance.settings.load import PREFIX, load_settings


@click.command()
def config() -> None:
    """List every setting as its environment variable, with its value and meaning; secrets are not shown."""
    settings = load_settings()
    for section_name in type(settings).model_fields:
        section: BaseModel = getattr(settings, section_name)
        click.echo(f"# {type(section).__doc__}")
        for key, field in type(section).model_fields.items():
            value = getattr(section, key)
            click.echo(f"{PREFIX}{section_name.upper()}_{key.upper()}={_shown(value)}")
            click.echo(f"    {field.description}{_default_note(field, value)}")
        click.echo()


def _shown(value: object) -> str:
    if value is None:
        return ""
    return "(set, not shown)" if isinstance(value, SecretStr) else str(value)


def _default_note(field: FieldInfo, value: object) -> str:
    return "" if value == field.default else f" (default: {_shown(field.default) or 'none'})"
