"""A comparison in sentences and tables, for the terminal and the report's page."""

from collections.abc import Iterator, Sequence

from accuracy.calibration.calibrating import Calibration
from accuracy.calibration.text import TextTable, as_rate, choice_lines
from accuracy.comparison.comparing import WANTED, Comparison, FamilyFigures, Outcomes
from accuracy.comparison.small_faces import MOST_PHOTOS
from accuracy.evaluation.figures import RateAt
from accuracy.evaluation.text import interval_text, percent, percent_short, scene_cells
from accuracy.statistics.rates import Interval
from attendance.reports.names import printable

MOST_ALONE = 20
"""Photos that only one family can use, listed on a terminal; the report has all."""


def summary(found: Comparison) -> list[str]:
    """What was compared, in sentences."""
    first = found.families[0].run
    searched = first.evaluation
    strangers = f"{searched.nonmated:,} of strangers"
    if searched.in_turn:
        strangers = f"{searched.nonmated:,} as strangers, each person's own photos taken out in turn"
    lines = [
        f"Photos in people's folders: {found.photos:,}; both families can use {found.shared:,}, of {found.people:,} "
        "people. All rates rest on photos that both can use.",
        f"{first.how[0].upper()}{first.how[1:]}.",
        f"Gallery: {searched.enrolled:,} people, {searched.encodings:,} encodings. Searches: {searched.mated:,} of "
        f"enrolled people ({searched.mated_people:,} people), {strangers}; {len(searched.impostor):,} comparisons of "
        "two people.",
    ]
    for one in found.families:
        lines.append(f"Family {one.family}: model {one.model}, {_alone(one)}")
    return lines


def _alone(one: FamilyFigures) -> str:
    lost = f"{one.run.not_acquired:,} photos unreadable or without exactly one face"
    return f"{lost}; {len(one.alone):,} that only this family can use."


def tables(found: Comparison) -> Iterator[TextTable]:
    """All tables of figures."""
    yield threshold_table(found)
    yield tar_table(found)
    if _has_widths(found):
        yield width_table(found)
    yield from group_tables(found)


def threshold_table(found: Comparison) -> TextTable:
    """The errors at each family's own thresholds."""
    rows = [
        (
            str(one.family),
            f"{at.title} {at.rule.threshold:g}, margin {at.rule.margin:g}",
            as_rate(at.false_match),
            as_rate(at.false_non_match),
            *_outcome_cells(at.outcomes),
        )
        for one in found.families
        for at in one.thresholds
    ]
    head = ("Family", "At", "FMR (95 %)", "FNMR (95 %)", *_OUTCOMES)
    return TextTable("At the thresholds in use", head, rows)


_OUTCOMES = ("Named rightly (95 %)", "Named as somebody else", "Strangers named")


def _outcome_cells(outcomes: Outcomes) -> tuple[str, str, str]:
    return (
        _share(outcomes.right, outcomes.mated),
        _share(outcomes.wrong, outcomes.mated),
        _share(outcomes.named, outcomes.strangers),
    )


def _share(interval: Interval, count: int) -> str:
    """E.g. "97.5 % (91.2 to 99.8) of 40"."""
    if not count:
        return "no searches"
    return f"{percent(interval.rate)} ({100 * interval.low:.1f} to {100 * interval.high:.1f}) of {count:,}"


def tar_table(found: Comparison) -> TextTable:
    """TAR at false match rates, each family's threshold set so."""
    rows = [(str(one.family), *(_tar(at) for at in one.tar)) for one in found.families]
    return TextTable(
        "TAR (1 - FNMR) at the same FMR, the threshold of each family set so (intervals: bootstrap over people)",
        ("Family", *(f"FMR {percent_short(wanted)}" for wanted in WANTED)),
        rows,
    )


def _tar(at: RateAt) -> str:
    if at.rate is None:
        return f"not known: {at.remark}"
    limit = "any distance" if at.threshold is None else f"to {at.threshold:.3f}"
    remark = f"; {at.remark}" if at.remark else ""
    return f"{percent(at.rate.value)} ({interval_text(at.rate)}), {limit}{remark}"


def width_table(found: Comparison) -> TextTable:
    """What becomes of faces scaled down."""
    rows = [
        (
            f"{at.width}",
            str(one.family),
            "" if at.own_width is None else f"{at.own_width:.0f}",
            _share(at.found, at.photos) if at.photos else "no photo is so large",
            *_outcome_cells(at.outcomes),
            "" if at.own_width is not None and at.own_width >= one.numbers.smallest_named else "counts only",
        )
        for ats in zip(*(one.widths for one in found.families), strict=True)
        for one, at in zip(found.families, ats, strict=True)
    ]
    head = ("Pixels", "Family", "Its box", "Found (95 %)", *_OUTCOMES, "The service")
    return TextTable("The same photos with faces scaled down, at the roster's threshold", head, rows)


def _has_widths(found: Comparison) -> bool:
    return any(at.photos for one in found.families for at in one.widths)


def width_lines(found: Comparison) -> list[str]:
    """How to read the table of widths; nothing where there is none."""
    if not _has_widths(found):
        return []
    lines = [
        "Widths are of the box that the family opencv finds at full size. The photos were scaled down, given a "
        "sensor's noise and compressed; what is enrolled stayed as it is. A hall is harder. Under 40 pixels, frames "
        "were doubled twice, for either family. The service counts faces under its family's smallest size, and names "
        "none of them."
    ]
    if found.drawn:
        lines.append(f"{MOST_PHOTOS:,} of the photos were scaled down, drawn.")
    return lines


def group_tables(found: Comparison) -> Iterator[TextTable]:
    """Both families' rates by group, one table a kind of threshold."""
    reports = [(one, one.groups) for one in found.families if one.groups is not None]
    for one, report in reports:
        for threshold, groups in report.groups.items():
            rows = [
                (
                    printable(group.group),
                    f"{group.people:,}",
                    as_rate(group.false_match),
                    as_rate(group.false_non_match),
                    printable("; ".join(group.remarks)),
                )
                for group in groups
            ]
            if rows:
                head = (report.column, "People", "FMR within (95 %)", "FNMR (95 %)", "")
                yield TextTable(f"By {report.column}, family {one.family} at {threshold:g}", head, rows)


def choice_table(calibrations: Sequence[Calibration]) -> TextTable:
    """The thresholds chosen for each family, the last column in sentences."""
    rows = []
    for one in calibrations:
        for choice in one.choices:
            _, *why = choice_lines(one, choice)
            how = "from these photos" if choice.measured else "not measured"
            rows.append(
                (one.name_of(choice), f"{choice.threshold:g}", how, f"{one.in_use[choice.setting]:g}", " ".join(why))
            )
    return TextTable("Thresholds chosen for each family", ("Setting", "Chosen", "", "In use", ""), rows)


def alone_table(found: Comparison) -> TextTable | None:
    """Photos that one family can use and the other cannot."""
    rows = [
        (printable(photo), str(one.family), printable(why))
        for one in found.families
        for photo, why in one.alone.items()
    ]
    if not rows:
        return None
    return TextTable("Photos that only one family can use", ("Photo", "Usable with", "With the other"), rows)


def scene_table(found: Comparison) -> TextTable | None:
    """Photos in no person's folder: whom each family names."""
    scenes: dict[str, dict[str, tuple[str, str, str]]] = {}
    for one in found.families:
        for scene in one.run.scenes:
            scenes.setdefault(scene.photo, {})[str(one.family)] = scene_cells(scene)
    if not scenes:
        return None
    rows = []
    for photo, cells in scenes.items():
        answer = next(iter(cells.values()))[1]
        row = [printable(photo), answer]
        for one in found.families:
            named, _, verdict = cells.get(str(one.family), ("no face", "", ""))
            row += [named, verdict]
        rows.append(row)
    head = ["Photo", "Answer"]
    for one in found.families:
        head += [f"{one.family} names (distance)", ""]
    return TextTable("Photos in no person's folder, at the roster's threshold", head, rows)


def notes(found: Comparison) -> list[str]:
    """What else is to be known."""
    remarks = dict.fromkeys(remark for one in found.families for remark in one.run.remarks)
    return [
        "FMR, FNMR and shares at a given threshold: exact intervals (Clopper and Pearson), of as many trials as there "
        "are people, for FMR of the effective number of pairs.",
        *(f"Note: {remark}" for remark in remarks),
    ]
