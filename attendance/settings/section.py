"""What every section of the settings is."""

from pydantic import BaseModel, ConfigDict


class Section(BaseModel):
    """Refuses names that it does not know, and does not change once read."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True)
