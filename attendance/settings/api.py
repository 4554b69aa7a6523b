"""Settings of the interface for programs."""

from pydantic import Field

from attendance.settings.section import Section


class ApiSettings(Section):
    """The interface for programs, at /api/v1 of the dashboard."""

    on: bool = Field(
        True,
        description="Let programs read and write with tokens that people make on their profile. Off: no token is made, "
        "and no address of the interface is there.",
    )
    requests_a_minute: int = Field(
        600, ge=10, le=100_000, description="How many requests of one token are answered in a minute."
    )
    token_days: int = Field(365, ge=1, le=3650, description="For how many days a token can be made at most.")
