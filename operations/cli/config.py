"""`attendance config`: every setting, its value and its meaning."""

from collections.abc import Iterator

import click
from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo

from attendance.settings.families import BUILT_IN, Family, FamilyError
from attendance.settings.files import where_from
from attendance.settings.load import PREFIX, load_settings
from attendance.settings.matching import DistanceSettings
from attendance.settings.model import Settings


@click.command()
def config() -> None:
    """List every setting as its environment variable, with its value and meaning; secrets are not shown."""
    settings = load_settings()
    click.echo(f"# {where_from()}; data in {settings.data.directory.absolute()}\n")
    for section_name in type(settings).model_fields:
        section: BaseModel = getattr(settings, section_name)
        click.echo(f"# {type(section).__doc__}")
        _list(section, f"{PREFIX}{section_name.upper()}_")
        if section is settings.institution and settings.institution.zone_warning is not None:
            click.echo(f"# Warning: {settings.institution.zone_warning}")
        if section is settings.matching:
            for line in _distances_in_use(settings):
                click.echo(line)
        click.echo()


def _list(section: BaseModel, prefix: str) -> None:
    for key, field in type(section).model_fields.items():
        value = getattr(section, key)
        if isinstance(value, BaseModel):
            _list(value, f"{prefix}{key.upper()}_")
            continue
        click.echo(f"{prefix}{key.upper()}={_shown(value)}")
        click.echo(f"    {field.description}{_default_note(field, value)}{_built_in_note(section, prefix, key)}")


def _shown(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, tuple):
        return "; ".join(map(str, value))
    return "(set, not shown)" if isinstance(value, SecretStr) else str(value)


def _default_note(field: FieldInfo, value: object) -> str:
    return "" if value == field.default else f" (default: {_shown(field.default) or 'none'})"


def _built_in_note(section: BaseModel, prefix: str, key: str) -> str:
    """What a distance is that is not set."""
    if not isinstance(section, DistanceSettings):
        return ""
    numbers = BUILT_IN.get(Family(prefix.removesuffix("_").rpartition("_")[2].lower()))
    if numbers is not None:
        return f" Built in: {getattr(numbers, key):g}."
    return " Must be set." if key == "threshold" else " Built in: dlib's, in proportion to the threshold."


def _distances_in_use(settings: Settings) -> Iterator[str]:
    """Which family's distances apply, why, and where each value comes from."""
    try:
        # Not at the top: a camera has the settings, but not the gallery's packages.
        from attendance.models_in_use import models_in_use  # noqa: PLC0415

        models = models_in_use(settings)
        numbers = settings.matching.numbers(models.family)
    except ModuleNotFoundError:
        return
    except FamilyError as error:
        yield f"# No distances apply: {error}"
        return
    yield f"# In use: the distances of family {models.family}, since {models.why}; those of others have no effect."
    former, given = settings.matching.former_names(), settings.matching.given_for(models.family)
    for key in DistanceSettings.model_fields:
        source = "set" if key in given else "built in"
        if models.family is Family.DLIB and key in former:
            source = f"set as matching.{key}, its former name"
        yield f"#     matching.{models.family}.{key} = {getattr(numbers, key):g} ({source})"
