"""What was measured on a GPU as tables, for the terminal and for docs/performance.md."""

from typing import Any

from benchmarks.tables import markdown, measured_on


def tables(results: dict[str, Any]) -> str:
    """Everything, in Markdown."""
    every = results["models"]
    return "\n\n".join([
        f"{measured_on(results)}, and one {results['gpu']} (driver {results['driver']}); {results['runtime']}, float32."
        f" Frames with {results['faces_a_frame']} faces, all of which are encoded; milliseconds a frame.",
        _frames(every),
        _faces(every),
        *(_agreement(family, one, results["beside"]) for family, one in every.items()),
    ])  # fmt: skip


def _frames(every: dict[str, Any]) -> str:
    rows = [["models", "frame", "batch", "frames/s", "whole", "of it networks", "search", "landmarks and chips",
             "processor", "first batch"]]  # fmt: skip
    for family, one in every.items():
        for size, batches in one["sizes"].items():
            for count, took in batches.items():
                whole = took["whole"]
                rows.append([
                    family, size, count, f"{1e3 / whole['wall_ms']:.0f}", f"{whole['wall_ms']:.1f}",
                    f"{whole['network_ms']:.1f}", f"{took['detect']['wall_ms']:.1f}", f"{took['align']['wall_ms']:.1f}",
                    f"{whole['processor_ms']:.1f}", f"{took['first_s']:.1f} s",
                ])  # fmt: skip
    return markdown(rows)


def _faces(every: dict[str, Any]) -> str:
    rows = [["models", "faces in one call", "encodings/s", "memory of the GPU", "first answer",
             "1080p on the processor alone"]]  # fmt: skip
    for family, one in every.items():
        alone_ms = 1e3 * one["on_the_processor"]["1080p"]["wall_s"]
        for count, took in one["encode"].items():
            rows.append([
                family, count, f"{int(count) / took['wall_s']:,.0f}", f"{one['memory_mib']:,.0f} MiB",
                f"{one['first_answer_s']:.1f} s", f"{alone_ms:.0f} ms",
            ])  # fmt: skip
    return markdown(rows)


def _agreement(family: str, one: dict[str, Any], beside: str) -> str:
    found = one["agreement"]
    return (
        f"**The same decisions?** Models {family}, {found['pictures']} pictures, {found['faces']} faces, beside"
        f" {beside} in float32 on the processor: {found['pictures_that_differ']} pictures with other faces; boxes at"
        f" most {found['boxes_apart_px']:.2g} pixels apart, scores {found['scores_apart']:.1e}, encodings"
        f" {found['encodings_apart']:.1e}; of {found['pairs']:,} pairs of faces {found['pairs_decided_otherwise']} are"
        " one person's on the one and not on the other."
    )
