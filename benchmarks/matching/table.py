"""The measurements as tables, for the terminal and for docs/performance.md."""

from typing import Any

from benchmarks.matching.crossover import A_FRAMES_FACES
from benchmarks.matching.sizes import BATCHES, ROSTER
from benchmarks.tables import Rows, markdown, measured_on, target_line


def tables(results: dict[str, Any]) -> str:
    """Every table, in Markdown, with a heading sentence each."""
    galleries = results["galleries"]
    parts = [
        f"{measured_on(results)}.",
        markdown(_gallery_rows(galleries)),
        "Milliseconds for a batch of faces among all students (two students each, with distances), and how many times"
        " as long the others take:",
        markdown(_search_rows(galleries)),
        f"Milliseconds for a batch among a roster of {ROSTER} students:",
        markdown(_roster_rows(galleries)),
        "Exact against approximate, milliseconds for batches of " + ", ".join(map(str, BATCHES)) + ":",
        markdown(_crossover_rows(results["crossover"])),
        _crossover_sentence(results),
    ]
    for encodings, reason in results["skipped"].items():
        parts.append(f"{int(encodings):,} encodings: not measured, {reason}.")
    return "\n\n".join(parts)


def targets(results: dict[str, Any]) -> list[str]:
    """What was to be reached, and whether it was."""
    by_size = {row["encodings"]: row for row in results["galleries"]}
    lines = []
    if campus := by_size.get(50_000):
        times = campus["milliseconds"]["256"]
        ratio = times["ours"] / times["faiss_tuned"]
        reached = times["ours"] < 10 or ratio <= 1.2
        target = "256 faces against 50,000: under 10 ms, or 1.2 times bare FAISS"
        lines.append(target_line(target, reached, f"{times['ours']:.1f} ms, {ratio:.2f} times"))
    if million := by_size.get(1_000_000):
        build_s, start_s = million["build_s"], million["start_s"]
        lines.append(target_line("1,000,000 built in 120 s", build_s < 120, f"{build_s:.1f} s"))
        lines.append(target_line("1,000,000 loaded in 2 s", start_s < 2, f"{start_s:.2f} s"))
    for row in by_size.values():
        if row["search"]["kind"] != "exact":
            recall = min(row["recall"][kind] for kind in ("own", "further", "strangers"))
            target = f"{row['encodings']:,}: recall@1 of 0.999"
            lines.append(target_line(target, recall >= 0.999, f"{recall:.4f}"))
    return lines


def _gallery_rows(galleries: list[dict[str, Any]]) -> Rows:
    head = [
        "encodings",
        "search",
        "build",
        "on disk",
        "start",
        "memory, mapped",
        "memory, own",
        "recall@1",
        "strangers",
    ]
    rows = [head]
    for one in galleries:
        search = one["search"]
        recall = one["recall"]
        rows.append(
            [
                f"{one['encodings']:,}",
                "exact" if search["kind"] == "exact" else f"{search['probes']} of {search['lists']} lists",
                f"{one['build_s']:.1f} s",
                f"{one['disk_mib']:,.0f} MiB",
                f"{one['start_s']:.2f} s",
                f"{one['memory_mib'] - one['own_memory_mib']:,.0f} MiB",
                f"{one['own_memory_mib']:,.0f} MiB",
                f"{min(recall['own'], recall['further']):.4f}",
                f"{recall['strangers']:.4f} (near ones {recall['strangers_near']:.4f})",
            ]
        )
    return rows


def _search_rows(galleries: list[dict[str, Any]]) -> Rows:
    others = {"faiss_tuned": "bare FAISS, tuned", "faiss": "bare FAISS", "face_distance": "face_distance loop"}
    rows = [["encodings", "batch", "ours", "faces/s", *others.values()]]
    for one in galleries:
        for batch, times in one["milliseconds"].items():
            ours = times["ours"]
            rows.append(
                [f"{one['encodings']:,}", batch, f"{ours:,.2f}", f"{1e3 * int(batch) / ours:,.0f}"]
                + [f"{times[name]:,.2f} ({times[name] / ours:,.2f} x)" if name in times else "-" for name in others]
            )
    return rows


def _roster_rows(galleries: list[dict[str, Any]]) -> Rows:
    rows = [["encodings", "batch", "roster kept", "roster seen first", "FAISS's id selector"]]
    for one in galleries:
        for batch, times in one["roster_milliseconds"].items():
            rows.append(
                [f"{one['encodings']:,}", batch, *(f"{times[name]:,.2f}" for name in ("kept", "first", "selector"))]
            )
    return rows


def _crossover_rows(measured: list[dict[str, Any]]) -> Rows:
    rows = [["encodings", "exact", "approximate", "recall at build"]]
    for one in measured:
        approximate = one.get("approximate_ms")
        rows.append(
            [
                f"{one['encodings']:,}",
                " / ".join(f"{value:.2f}" for value in one["exact_ms"].values()),
                " / ".join(f"{value:.2f}" for value in approximate.values()) if approximate else "-",
                f"{one['search']['recall']:.4f}" if approximate else "not reached",
            ]
        )
    return rows


def _crossover_sentence(results: dict[str, Any]) -> str:
    found = results["crossover_at"]
    begins = f"it begins beyond {results['exact_up_to']:,}"
    if found is None:
        return f"No size measured makes approximate search faster in batches of {A_FRAMES_FACES}; {begins}."
    faces = f"up to {A_FRAMES_FACES}, a full frame's faces"
    return f"Approximate search is faster in batches of {faces}, from {found:,} encodings on; {begins}."
