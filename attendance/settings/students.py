"""Settings of the students' own page."""

from pydantic import Field

from attendance.settings.section import Section


class StudentsSettings(Section):
    """What students may do themselves, at /me of the dashboard."""

    own_page: bool = Field(
        True,
        description="Let students see what is kept of them, say what is wrong, and give or withdraw consent. They come "
        "in by a link for once, mailed to the address on record or handed over by an administrator.",
    )
    link_minutes: int = Field(30, ge=5, le=1440, description="Minutes for which a mailed link can be used.")
    signin_minutes: int = Field(
        60, ge=5, le=1440, description="Minutes after which a student needs a new link to go on."
    )
    photos: bool = Field(
        False,
        description="Let students who consent propose photos by which they are recognised. Somebody who teaches them, "
        "or an administrator, accepts each before anything is made of it.",
    )
    photo_days: int = Field(
        14, ge=1, le=90, description="Days after which a proposed photo, and what was said of it, is deleted."
    )
