"""What every section of the settings is."""

from pydantic import BaseModel, ConfigDict
from pydantic.fields import FieldInfo


class Section(BaseModel):
    """Refuses names that it does not know, and does not change once read."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True)


def is_section(field: FieldInfo) -> bool:
    """Whether what a field holds is itself a section: `dlib` of `[matching]` is `[matching.dlib]`."""
    return isinstance(field.annotation, type) and issubclass(field.annotation, Section)
