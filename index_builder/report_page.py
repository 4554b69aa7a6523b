"""The report of an enrolment as one page that needs nothing beside it: thumbnails, outcomes and why."""

import base64
import hashlib
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from html import escape
from pathlib import Path
from zoneinfo import ZoneInfo

from attendance.gallery.files import replace_durably
from index_builder.enrolment import EnrolmentResult
from index_builder.photos.verdicts import PhotoOutcome, PhotoVerdict

_MOST_THUMBNAILS = 4000
"""Beyond so many photos, some 16 MB of page, those that are fine are shown without their picture."""
_MANY_CARDS = 300
"""Beyond so many students the browser lays out only those that are on the screen."""
_HERE = Path(__file__)


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
    style = _HERE.with_suffix(".css").read_text("utf-8")
    script = _HERE.with_suffix(".js").read_text("utf-8")
    # Whatever a file's name holds, nothing but this style and this script is used, and nothing is fetched.
    policy = f"default-src 'none'; img-src data:; style-src {_digest(style)}; script-src {_digest(script)}"
    every = [*enrolment.misplaced, *(verdict for verdicts in enrolment.verdicts.values() for verdict in verdicts)]
    all_pictures = len(every) <= _MOST_THUMBNAILS
    cards = "".join(
        _card(student, verdicts, enrolment, all_pictures=all_pictures)
        for student, verdicts in enrolment.verdicts.items()
    )
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<title>Enrolment report, {made_at:%Y-%m-%d %H:%M}</title>
<style>{style}</style>
</head>
<body>
<header><div>
<h1>Enrolment report</h1>
<p>{escape(institution)}, <time datetime="{made_at.isoformat()}">{made_at:%Y-%m-%d %H:%M %Z}</time></p>
</div></header>
<main{' class="many"' if len(enrolment.verdicts) > _MANY_CARDS else ""}>
<p class="notice">This page holds photos of students. Keep it where only those who enrol can read it, send it to
nobody, and delete it when you are done.</p>
{_interruption(enrolment)}
{_tiles(enrolment)}
{_filters(every)}
{cards}
{_misplaced(enrolment.misplaced)}
<p class="empty" id="nothing" hidden>No photo here is of that kind.</p>
</main>
<script>{script}</script>
</body>
</html>
"""


def _digest(text: str) -> str:
    digest = base64.b64encode(hashlib.sha256(text.encode("utf-8")).digest()).decode("ascii")
    return f"'sha256-{digest}'"


def _interruption(enrolment: EnrolmentResult) -> str:
    if not enrolment.interrupted:
        return ""
    return '<p class="notice">The work was stopped before its end: later students are not in this report.</p>'


def _tiles(enrolment: EnrolmentResult) -> str:
    used = enrolment.count(PhotoOutcome.OK, PhotoOutcome.DOUBTFUL)
    figures = (
        ("Students enrolled", sum(1 for count in enrolment.saved.values() if count)),
        ("Students without a good photo", len(enrolment.without)),
        ("Photos used", used),
        ("of these doubtful", enrolment.count(PhotoOutcome.DOUBTFUL)),
        ("Set aside as outliers", enrolment.count(PhotoOutcome.SET_ASIDE)),
        ("Not used", enrolment.refused),
    )
    tiles = (f'<div class="tile"><dt>{title}</dt><dd>{figure:,}</dd></div>' for title, figure in figures)
    return f'<dl class="tiles">{"".join(tiles)}</dl>'


def _filters(every: Sequence[PhotoVerdict]) -> str:
    counts = Counter(verdict.outcome for verdict in every)
    buttons = [f'<button type="button" data-filter="" aria-pressed="true">All <b>{len(every):,}</b></button>']
    buttons += [
        f'<button type="button" data-filter="{outcome}" aria-pressed="false">'
        f"{_sentence(outcome)} <b>{counts[outcome]:,}</b></button>"
        for outcome in PhotoOutcome
        if counts[outcome]
    ]
    search = '<input type="search" placeholder="Find an index number" aria-label="Find an index number">'
    return f'<div class="filters" role="group" aria-label="Filter by outcome">{"".join(buttons)}{search}</div>'


def _card(student: str, verdicts: Sequence[PhotoVerdict], enrolment: EnrolmentResult, *, all_pictures: bool) -> str:
    count = enrolment.saved.get(student, 0)
    state = '<span class="chip bad">not enrolled</span>'
    if count:
        state = f'<span class="chip good">{count} {"encoding" if count == 1 else "encodings"}</span>'
    photos = "".join(_photo(verdict, all_pictures=all_pictures) for verdict in verdicts)
    body = f'<div class="photos">{photos}</div>' if verdicts else '<p class="empty">The folder holds no photos.</p>'
    return (
        f'<section class="card" data-student="{escape(student)}">'
        f"<header><h2>{escape(student)}</h2>{state}</header>{body}</section>\n"
    )


def _misplaced(verdicts: Sequence[PhotoVerdict]) -> str:
    if not verdicts:
        return ""
    photos = "".join(_photo(verdict, all_pictures=True) for verdict in verdicts)
    return (
        '<section class="card" data-student=""><header><h2>Files and lines of no student</h2></header>'
        f'<div class="photos">{photos}</div></section>'
    )


def _photo(verdict: PhotoVerdict, *, all_pictures: bool) -> str:
    name = escape(verdict.name if verdict.name.isprintable() else ascii(verdict.name))
    picture = '<div class="none">no picture</div>'
    if verdict.thumbnail is not None and (all_pictures or verdict.outcome is not PhotoOutcome.OK):
        data = base64.b64encode(verdict.thumbnail).decode("ascii")
        picture = f'<img alt="{name}" src="data:image/jpeg;base64,{data}">'
    return (
        f'<article class="photo" data-outcome="{verdict.outcome}">{picture}'
        f'<div><span class="chip {_tone(verdict.outcome)}">{_sentence(verdict.outcome)}</span>'
        f'<span class="name">{name}</span>{"".join(_details(verdict))}</div></article>'
    )


def _details(verdict: PhotoVerdict) -> Iterator[str]:
    if verdict.quality is not None and verdict.outcome.gives_encoding:
        yield (
            f'<span class="quality">Quality <meter min="0" max="1" low="0.25" high="0.5" optimum="1" '
            f'value="{verdict.quality:.2f}">{verdict.quality:.2f}</meter> {verdict.quality:.2f}</span>'
        )
    if verdict.detail:
        yield f'<span class="why">{escape(verdict.detail)}</span>'


def _tone(outcome: PhotoOutcome) -> str:
    tones = {PhotoOutcome.OK: "good", PhotoOutcome.DOUBTFUL: "warn", PhotoOutcome.SET_ASIDE: "aside"}
    return tones.get(outcome, "bad")


def _sentence(outcome: PhotoOutcome) -> str:
    return outcome[:1].upper() + outcome[1:]
