"""The measurements as sentences and tables, for the terminal and for docs/performance.md."""

from collections.abc import Callable
from typing import Any

from benchmarks.service.aims import FAIR, aims
from benchmarks.tables import markdown, measured_on, target_line


def tables(results: dict[str, Any]) -> str:
    """Everything that was measured, in Markdown."""
    width, height = results["frame"]
    several = f"{results['services']} services that share the cores" if results["services"] > 1 else "one service"
    parts = [
        f"{measured_on(results)}; {several}, cameras and database on the same machine; models {results['models']}."
        f" Where nothing else is said, frames of {width} x {height} with two to eight people; gallery of"
        f" {results['encodings']:,} encodings; batches of at most {results['batch']}.",
        _aimed(results),
    ]
    parts += [part(results[name]) for name, part in _PARTS.items() if name in results]
    return "\n\n".join(parts)


def targets(results: dict[str, Any]) -> list[str]:
    """What was to be reached, and whether it was."""
    lines = [target_line(f"{one.what}: {one.least}", one.reached, one.figure) for one in aims(results)]
    if "overload" in results:
        overload = results["overload"]
        of_peak, longest = overload["of_peak"], overload["longest_s"]
        lines += [
            target_line("at twice saturation at least 0.9 of the peak", of_peak >= FAIR, f"{of_peak:.3f}"),
            target_line("no deadline ignored", overload["cameras_beyond_deadline"] == 0, f"longest {longest:.1f} s"),
        ]
    if "idle" in results:
        idle = results["idle"][-1]
        lines.append(target_line(f"{idle['cameras']} cameras kept", not idle["streams_lost"], "streams"))
    return lines


def _aimed(results: dict[str, Any]) -> str:
    rows = [["what", "aim, two cores", "measured", "reached"]]
    rows += [[one.what, one.least, one.figure, one.verdict] for one in aims(results)]
    return markdown(rows)


def _saturation(one: dict[str, Any]) -> str:
    stages = {name.removeprefix("stage "): spent for name, spent in one.items() if name.startswith("stage ")}
    return (
        f"**Saturation**, {one['cameras']} cameras, medians of {len(one['rounds'])} rounds in turns with decoding and"
        f" the engine alone, which encodes as many of the faces ({one['encoded_share']:.0%}): {one['service_rate']:.1f}"
        f" frames a second of {one['bare_rate']:.1f}. A frame costs {one['bare_cpu_ms']:.1f} ms of processor time"
        f" there, {one['service_cpu_ms']:.1f} ms in the service (the same, and reading, matching, the outbox) and"
        f" {one['cameras_cpu_ms']:.1f} ms in the simulated cameras, which share its cores; what they take is set apart"
        f" in the first line above. By stage: {_stages(stages)}. The engine is at work {one['engine_busy']:.0%} of the"
        f" time; {one['cores_busy']:.2f} cores are busy."
    )


def _many(name: str, frames: str) -> Callable[[dict[str, Any]], str]:
    def described(one: dict[str, Any]) -> str:
        return (
            f"**{name}**: {one['cameras']} cameras ask for {one['asked_rate']:.1f} frames a second, {frames}, for"
            f" {one['seconds']:.0f} s. {one['faces_a_frame']:.1f} faces a frame are found, {one['encoded_share']:.0%}"
            f" of them encoded. The service takes {one['cores']:.2f} cores, {one['cpu_ms']:.1f} ms of processor time a"
            f" frame; the simulated cameras {one['cameras_cpu_ms']:.1f} ms besides. By stage:"
            f" {_stages(one['stages_cpu_ms'])}."
        )

    return described


def _stages(stages: dict[str, float]) -> str:
    ordered = sorted(stages.items(), key=lambda stage: -stage[1])
    return ", ".join(f"{name} {spent:.1f} ms" for name, spent in ordered)


def _latency(measured: list[dict[str, Any]]) -> str:
    rows = [["of the peak", "frames/s", "p50", "p95", "p99", "held back"]]
    rows += [
        [f"{one['share']:.0%}", f"{one['rate']:.1f}", *_percentiles(one), str(one["held_back"])] for one in measured
    ]
    return "**Latency** below saturation, from sending a frame to its answer, milliseconds:\n\n" + markdown(rows)


def _fairness(one: dict[str, Any]) -> str:
    return (
        f"**Fairness**: {one['cameras']} cameras, each of which asks for more than its share, beside one that asks for"
        f" ten times as much and beyond its window, and one that sends 16 megapixels whenever it may. Of the ten the"
        f" slowest has {one['slowest']} frames answered, the greedy one {one['greedy']}, the large one {one['large']}."
    )


def _overload(one: dict[str, Any]) -> str:
    return (
        f"**Twice saturation** for {one['seconds']:.0f} s, from cameras that ignore their window:"
        f" {one['sent_rate']:.1f} frames a second sent, {one['rate']:.1f} recognized, {one['of_peak']:.3f} of the peak."
        f" Answers: {_outcomes(one)}. Memory of its own {one['memory_first_mib']:.0f} MiB after a"
        f" minute, {one['memory_last_mib']:.0f} MiB at the end. The longest that a recognized frame took in the service"
        f" is {one['longest_s']:.1f} s; its deadline bounds the waiting. Streams lost: {one['streams_lost']}."
    )


def _idle(measured: list[dict[str, Any]]) -> str:
    rows = [["cameras", "frames", "asked/s", "recognized/s", "held back", "p50", "p95", "p99", "memory", "cores"]]
    rows += [
        [
            *(str(one["cameras"]), one["frames"], f"{one['asked_rate']:.1f}", f"{one['rate']:.1f}"),
            *(str(one["held_back"]), *_percentiles(one)),
            *(f"{one['memory_mib']:.0f} MiB", f"{one['service_cores']:.2f}"),
        ]
        for one in measured
    ]
    return (
        "**Many cameras**, a frame in five seconds each, milliseconds. Small frames are of 384 x 216 pixels, so that"
        " the engine can do what all ask for together; with frames of full size it cannot on this machine, and the"
        " cameras hold back what their windows do not allow:\n\n" + markdown(rows)
    )


def _tls(measured: dict[str, Any]) -> str:
    rows = [["connection", "frames/s", "of plaintext", "processor ms a frame, cameras included"]]
    rows += [
        [name, f"{one['rate']:.1f}", f"{one['of_plaintext']:.3f}", f"{one['cpu_ms']:.1f}"]
        for name, one in measured.items()
    ]
    return "**TLS** at saturation, in turns:\n\n" + markdown(rows)


def _outcomes(one: dict[str, Any]) -> str:
    return ", ".join(f"{count:,} {name.replace('_', ' ')}" for name, count in sorted(one["outcomes"].items()))


def _percentiles(one: dict[str, Any]) -> list[str]:
    return [f"{one[name]:,.0f}" if name in one else "-" for name in ("p50", "p95", "p99")]


_PARTS: dict[str, Callable[[Any], str]] = {
    "saturation": _saturation,
    "seats": _many("Seats", "1920 x 1080 with twenty settled students"),
    "doors": _many("Doors", "1280 x 720 with two people who walk, where faces from 36 pixels on are looked for"),
    "latency": _latency,
    "fairness": _fairness,
    "overload": _overload,
    "idle": _idle,
    "tls": _tls,
}
