"""The report of an enrolment as one page that needs nothing beside it: thumbnails, outcomes and why."""

from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from attendance.gallery.files import replace_durably
from attendance.reports.pages import fill_page
from index_builder.enrolment import EnrolmentResult
from index_builder.photos.verdicts import PhotoOutcome

_MOST_THUMBNAILS = 4000
"""Beyond so many photos, some 16 MB of page, those that are fine are shown without their picture."""
_MANY_CARDS = 300
"""Beyond so many students the browser lays out only those that are on the screen."""
_TONES = {PhotoOutcome.OK: "good", PhotoOutcome.DOUBTFUL: "warn", PhotoOutcome.SET_ASIDE: "aside"}
"""Of an outcome's mark; every other one is bad."""
_TEMPLATE = Path(__file__).with_suffix(".html")


def write_report(path: Path, enrolment: EnrolmentResult, *, institution: str, zone: ZoneInfo) -> None:
    """Write the page, for this account only: it holds photos.

    Args:
        path: replaced if it is there.
        enrolment: what became of the photos.
        institution: shown at the top.
        zone: for the time shown.

    Raises:
        OSError: the disk refuses.
    """
    page = render_report(enrolment, institution=institution, made_at=datetime.now(UTC).astimezone(zone))
    replace_durably(path.absolute(), page.encode("utf-8", errors="replace"))


def render_report(enrolment: EnrolmentResult, *, institution: str, made_at: datetime) -> str:
    """The page's HTML; see `write_report`."""
    every = [*enrolment.misplaced, *(verdict for verdicts in enrolment.verdicts.values() for verdict in verdicts)]
    counts = Counter(verdict.outcome for verdict in every)
    return fill_page(
        _TEMPLATE,
        styles=[_TEMPLATE.with_suffix(".css")],
        script=_TEMPLATE.with_suffix(".js"),
        institution=institution,
        made_at=made_at,
        enrolment=enrolment,
        many=len(enrolment.verdicts) > _MANY_CARDS,
        figures=_figures(enrolment),
        photos=len(every),
        outcomes=[(outcome, counts[outcome]) for outcome in PhotoOutcome if counts[outcome]],
        all_pictures=len(every) <= _MOST_THUMBNAILS,
        fine=PhotoOutcome.OK,
        tones=_TONES,
    )


def _figures(enrolment: EnrolmentResult) -> list[tuple[str, int]]:
    return [
        ("Students enrolled", sum(1 for count in enrolment.saved.values() if count)),
        ("Students without a good photo", len(enrolment.without)),
        ("Photos used", enrolment.count(PhotoOutcome.OK, PhotoOutcome.DOUBTFUL)),
        ("of these doubtful", enrolment.count(PhotoOutcome.DOUBTFUL)),
        ("Set aside as outliers", enrolment.count(PhotoOutcome.SET_ASIDE)),
        ("Not used", enrolment.refused),
    ]
