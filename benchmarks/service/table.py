"""The measurements as sentences and tables, for the terminal and for docs/performance.md."""

from typing import Any

from benchmarks.tables import markdown, measured_on, target_line


def tables(results: dict[str, Any]) -> str:
    """Everything, in Markdown."""
    width, height = results["frame"]
    parts = [
        f"{measured_on(results)}; service, cameras and database on the same machine. Frames of {width} x"
        f" {height} with two to eight people; gallery of {results['encodings']:,} encodings; batches of at most"
        f" {results['batch']}.",
        _saturation(results["saturation"]),
        _latency(results["latency"]),
        _fairness(results["fairness"]),
        _overload(results["overload"]),
        _idle(results["idle"]),
        _tls(results["tls"]),
    ]
    return "\n\n".join(parts)


def targets(results: dict[str, Any]) -> list[str]:
    """What was to be reached, and whether it was."""
    saturation, overload = results["saturation"], results["overload"]
    grown = overload["memory_last_mib"] / overload["memory_first_mib"]
    return [
        target_line(
            "at least 0.85 of the bare engine's rate", saturation["ratio"] >= 0.85, f"{saturation['ratio']:.3f}"
        ),
        target_line("slowest camera at least 0.9 of the mean", results["fairness"]["share"] >= 0.9, _share(results)),
        target_line(
            "at twice saturation at least 0.9 of the peak", overload["of_peak"] >= 0.9, f"{overload['of_peak']:.3f}"
        ),
        target_line(
            "no deadline ignored", overload["cameras_beyond_deadline"] == 0, f"longest {overload['longest_s']:.1f} s"
        ),
        target_line("steady memory", grown <= 1.1, f"{grown:.3f} of the memory at the beginning"),
        target_line(
            f"{results['idle'][-1]['cameras']} cameras kept", not results["idle"][-1]["streams_lost"], "streams"
        ),
    ]


def _share(results: dict[str, Any]) -> str:
    return f"{results['fairness']['share']:.3f}"


def _saturation(one: dict[str, Any]) -> str:
    return (
        f"**Saturation**, {one['cameras']} cameras, medians of {len(one['rounds'])} rounds in turns with the bare"
        f" engine: {one['service_rate']:.1f} frames a second of the engine's {one['engine_rate']:.1f}, which is"
        f" {one['ratio']:.3f}. A frame costs {one['engine_cpu_ms']:.1f} ms of processor time in the bare engine,"
        f" {one['service_cpu_ms']:.1f} ms in the service (the same, and reading, decoding, matching, the outbox) and"
        f" {one['cameras_cpu_ms']:.1f} ms in the simulated cameras, which share its cores. The engine is at work"
        f" {one['engine_busy']:.0%} of the time; {one['cores_busy']:.2f} cores are busy."
    )


def _latency(measured: list[dict[str, Any]]) -> str:
    rows = [["of the peak", "frames/s", "p50", "p95", "p99", "held back"]]
    rows += [
        [f"{one['share']:.0%}", f"{one['rate']:.1f}", *_percentiles(one), str(one["held_back"])] for one in measured
    ]
    return "**Latency** below saturation, from sending a frame to its answer, milliseconds:\n\n" + markdown(rows)


def _fairness(one: dict[str, Any]) -> str:
    return (
        f"**Fairness**: {one['cameras']} cameras ask for {one['asked']:.1f} times the peak, one of them ten times"
        f" as much as each other and beyond its window. Of the others the slowest has {one['slowest']} frames"
        f" answered, the greedy one {one['greedy']}: the slowest has {one['share']:.3f} of the mean."
    )


def _overload(one: dict[str, Any]) -> str:
    return (
        f"**Twice saturation** for {one['seconds']:.0f} s, from cameras that ignore their window:"
        f" {one['sent_rate']:.1f} frames a second sent, {one['rate']:.1f} recognized, {one['of_peak']:.3f} of the peak."
        f" Answers: {_outcomes(one)}. Memory of its own {one['memory_first_mib']:.0f} MiB in the first third,"
        f" {one['memory_last_mib']:.0f} MiB in the last. The longest that a recognized frame took in the service is"
        f" {one['longest_s']:.1f} s; its deadline bounds the waiting. Streams lost: {one['streams_lost']}."
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
