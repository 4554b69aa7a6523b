"""What every section of the settings is."""

import re
from dataclasses import dataclass

from pydantic import BaseModel, ConfigDict
from pydantic.fields import FieldInfo


class Section(BaseModel):
    """Refuses names that it does not know, and does not change once read."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True)


@dataclass(frozen=True)
class PathInside:
    """Marks a setting that is text, but may hold a path: in a file of settings that is relative to the file.

    Attributes:
        pattern: which values do, as a whole; its group `path` is the path.
    """

    pattern: re.Pattern[str]


def is_section(field: FieldInfo) -> bool:
    """Whether what a field holds is itself a section: `dlib` of `[matching]` is `[matching.dlib]`."""
    return isinstance(field.annotation, type) and issubclass(field.annotation, Section)


def fields_of(field: FieldInfo | None) -> dict[str, FieldInfo]:
    """The fields of a section; none of anything else."""
    section = field.annotation if field is not None else None
    return section.model_fields if isinstance(section, type) and issubclass(section, Section) else {}
