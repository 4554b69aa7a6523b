"""The measurements as sentences and a table, for the terminal and for docs/performance.md."""

from typing import Any

from benchmarks.tables import markdown, measured_on, target_line

AIM = 0.9


def tables(results: dict[str, Any]) -> str:
    """Everything, in Markdown."""
    width, height = results["frame"]
    rows = [
        ["hostile frames", "load", "kept of their frames", "slowest camera", "p95 without, with", "hostile answered"]
    ]
    for kind, measured in results["kinds"].items():
        rows += [[kind, *_row("ordinary", measured["ordinary"])], [kind, *_row("saturated", measured["saturated"])]]
    return (
        f"{measured_on(results)}; service and cameras on the same machine. Honest frames of {width} x {height};"
        f" the service recognises {results['peak']:.1f} of them a second. Medians of {results['rounds']} rounds; *kept*"
        " and *slowest* are shares of what a camera has answered without the hostile one.\n\n" + markdown(rows)
    )


def targets(results: dict[str, Any]) -> list[str]:
    """What was to be reached, and whether it was."""
    return [
        target_line(f"beside frames of {kind} honest cameras keep {AIM:.0%} of theirs", kept >= AIM, f"{kept:.3f}")
        for kind, measured in results["kinds"].items()
        for kept in [measured["ordinary"]["kept"]]
    ]


def _row(load: str, one: dict[str, float]) -> list[str]:
    return [
        {"ordinary": "four fifths", "saturated": "whenever they may"}[load],
        f"{one['kept']:.3f}",
        f"{one['slowest']:.3f}",
        f"{one['p95_alone_ms']:,.0f}, {one['p95_beside_ms']:,.0f} ms",
        f"{one['hostile']:.0f}",
    ]
