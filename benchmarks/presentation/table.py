"""The measurements as sentences and tables, for the terminal and for docs/performance.md.

Rates are those of ISO/IEC 30107-3:2023: APCER, of one kind of attack, the share of attacks that pass as a living face;
BPCER, the share of living faces that are taken for an attack. What the service names nobody in answers neither.
"""

from typing import Any

from accuracy.statistics.rates import clopper_pearson
from benchmarks.tables import Rows, markdown, measured_on, target_line

BPCER_AIM, SCREEN_AIM = 0.02, 0.2
_NONE_PASS = ("one frame, sent again", "a print that stands", "a print, moved", "a print, moved, nearer, tilted")
_BORDER = ("a photo on a tablet, its border in view", "a video on a tablet, its border in view")


def tables(results: dict[str, Any]) -> str:
    """Everything, in Markdown."""
    attacks: Rows = [["attack", "tracks", "not named", "passed", "APCER", "95 %", "held for"]]
    for kind, one in results["attacks"].items():
        attacks.append([kind, *_row(one, "confirmed")])
    living: Rows = [["living face", "tracks", "not named", "held", "BPCER", "95 %", "held for"]]
    for clip, one in results["living"].items():
        living.append([f"{clip}, {one['seconds']:.0f} s", *_row(one, "held")])
    living.append(["all", *_row(_together(results["living"]), "held")])
    cost = results["cost"]
    ratio = (cost["views"] + cost["check"]) / cost["find"]
    return (
        f"{measured_on(results)}; models {results['family']}. {results['photos']} photos and {results['videos']} videos"
        " were held up, each track in conditions of its own: faces of 36 to 130 pixels, one to four frames a second,"
        " noise, light and JPEG. Tracks are of few people, so the true intervals are wider.\n\n"
        f"{markdown(attacks)}\n\n{markdown(living)}\n\n"
        f"A frame with one face takes {cost['find']:.1f} ms to search and encode, {cost['views']:.2f} ms for the views,"
        f" and {cost['check']:.1f} ms for the check while the face is not clear: {ratio:.2f} of the former while it is"
        f" checked, {cost['views'] / cost['find']:.3f} afterwards."
    )


def targets(results: dict[str, Any]) -> list[str]:
    """What was to be reached, and whether it was."""
    lines = []
    for kind in _NONE_PASS:
        rate, named = _rate(results["attacks"][kind], "confirmed")
        lines.append(target_line(f"APCER 0: {kind}", rate == 0, f"{rate:.1%} of {named}"))
    for kind in _BORDER:
        rate, named = _rate(results["attacks"][kind], "confirmed")
        lines.append(
            target_line(f"APCER at most {SCREEN_AIM:.0%}: {kind}", rate <= SCREEN_AIM, f"{rate:.1%} of {named}")
        )
    rate, named = _rate(_together(results["living"]), "held")
    lines.append(target_line(f"BPCER at most {BPCER_AIM:.0%}", rate <= BPCER_AIM, f"{rate:.1%} of {named}"))
    return lines


def _together(living: dict[str, Any]) -> dict[str, Any]:
    counts: dict[str, Any] = {
        name: sum(one[name] for one in living.values()) for name in ("confirmed", "held", "not named")
    }
    reasons: dict[str, int] = {}
    for one in living.values():
        for reason, count in one["reasons"].items():
            reasons[reason] = reasons.get(reason, 0) + count
    return {**counts, "reasons": reasons}


def _rate(one: dict[str, Any], wrong: str) -> tuple[float, int]:
    named = one["confirmed"] + one["held"]
    return one[wrong] / max(1, named), named


def _row(one: dict[str, Any], wrong: str) -> list[str]:
    rate, named = _rate(one, wrong)
    interval = clopper_pearson(one[wrong], max(1, named))
    reasons = ", ".join(f"{reason} {count}" for reason, count in sorted(one["reasons"].items()))
    return [
        str(named + one["not named"]),
        str(one["not named"]),
        str(one[wrong]),
        f"{rate:.1%}" if named else "-",
        f"{interval.low:.1%} to {interval.high:.1%}" if named else "-",
        reasons,
    ]
