"""An evaluation for the terminal, where the operator reads it."""

from collections.abc import Callable, Iterable, Iterator, Sequence

from accuracy.evaluation.evaluating import EvaluationRun
from accuracy.evaluation.figures import AtRule, Evaluation, RateAt
from accuracy.evaluation.scenes import SceneResult
from accuracy.statistics.bootstrap import Rate
from attendance.reports.names import printable

_MOST_LEFT_OUT = 20
Row = tuple[str, str, str, str]
"""What is measured, the figure, its interval, and what it rests on."""
Echo = Callable[[str], None]


def percent(share: float) -> str:
    """E.g. "97.5 %"."""
    return f"{100 * share:.{2 if share < 0.1 else 1}f} %"  # small shares need one digit more


def interval_text(rate: Rate) -> str:
    """E.g. "95.1 to 99.0"."""
    return f"{100 * rate.low:.1f} to {100 * rate.high:.1f}"


def figure_rows(evaluation: Evaluation) -> Iterator[Row]:
    """The rates, one a row."""
    for rank in (1, 5):
        rate = evaluation.cmc[rank - 1] if rank <= len(evaluation.cmc) else None
        if rate is not None:
            yield f"Identification rate, rank {rank}", *_cells(rate, "searches")
    for found in evaluation.tpir:
        yield _row_at(f"TPIR at FPIR {percent_short(found.wanted)}", found, "searches")
    for found in evaluation.tar:
        yield _row_at(f"TAR at FAR {percent_short(found.wanted)}", found, "comparisons")


def percent_short(share: float) -> str:
    """E.g. "0.1 %"."""
    return f"{100 * share:g} %"


def rule_rows(rule: AtRule) -> Iterator[Row]:
    """What the product would have done, one rate a row."""
    for title, rate in (
        ("Enrolled: named rightly", rule.right),
        ("Enrolled: named as somebody else", rule.wrong),
        ("Strangers: named as somebody", rule.false_positive),
    ):
        if rate is not None:
            yield title, *_cells(rate, "searches")


def rule_title(rule: AtRule) -> str:
    """What heads the rows of a rule."""
    return f"At {rule.title} {rule.rule.threshold:g} with the margin {rule.rule.margin:g}"


def _cells(rate: Rate, noun: str) -> tuple[str, str, str]:
    return percent(rate.value), interval_text(rate), f"{rate.count:,} {noun} of {rate.people:,} people"


def _row_at(title: str, found: RateAt, noun: str) -> Row:
    if found.rate is None:
        return title, "not known", "", found.remark
    value, between, basis = _cells(found.rate, noun)
    remark = f"; {found.remark}" if found.remark else ""
    limit = "any distance" if found.threshold is None else f"distance up to {found.threshold:.3f}"
    return title, value, between, f"{basis}, {limit}{remark}"


def summary(run: EvaluationRun, model: str) -> list[str]:
    """What was evaluated, in sentences."""
    found = run.evaluation
    strangers = f"{found.nonmated:,} of strangers ({found.nonmated_people:,} people)"
    if found.in_turn:
        strangers = f"{found.nonmated:,} as strangers, each person's own photos taken out in turn"
    lost = f"{run.not_acquired:,} ({percent(run.not_acquired / run.photos)})" if run.photos else "0"
    return [
        f"Photos in people's folders: {run.photos:,}; unreadable or without exactly one face: {lost}.",
        f"{run.how[0].upper()}{run.how[1:]}.",
        f"Model {model}. Gallery: {found.enrolled:,} people, {found.encodings:,} encodings.",
        f"Searches: {found.mated:,} of enrolled people ({found.mated_people:,} people), {strangers}.",
    ]


def print_evaluation(run: EvaluationRun, echo: Echo, *, model: str) -> None:
    """Print the figures, a line at a time."""
    for line in summary(run, model):
        echo(line)
    _print_table(echo, "Rates", figure_rows(run.evaluation))
    for rule in run.evaluation.rules:
        _print_table(echo, rule_title(rule), rule_rows(rule))
    if run.scenes:
        _print_scenes(echo, run.scenes)
    echo("")
    if not run.evaluation.rules:
        echo("What the product would decide is left out: the configured thresholds are of another model.")
    wrong = sum(not confusion.stranger for confusion in run.evaluation.confusions)
    named = sum(confusion.stranger for confusion in run.evaluation.confusions)
    echo(f"Photos of enrolled people nearest to somebody else: {wrong:,}. Strangers named: {named:,}.")
    for remark in run.remarks:
        echo(f"Note: {remark}")
    _print_left_out(run, echo)


def _print_left_out(run: EvaluationRun, echo: Echo) -> None:
    if not run.left_out:
        return
    echo(f"Files not used: {len(run.left_out):,}")
    for photo, why in run.left_out[:_MOST_LEFT_OUT]:
        echo(f"  {printable(photo)}: {why}")
    if len(run.left_out) > _MOST_LEFT_OUT:
        echo("  ... all are in the report (--output)")


def _columns(rows: Iterable[Sequence[str]]) -> Iterator[str]:
    """Rows as lines, each column as wide as its widest cell, whatever the terminal's width."""
    rows = list(rows)
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        yield "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()


def _print_table(echo: Echo, title: str, rows: Iterable[Row]) -> None:
    echo("")
    echo(title)
    for line in _columns([("", "", "95 % interval", "rests on"), *rows]):
        echo(f"  {line}")


def _print_scenes(echo: Echo, scenes: Sequence[SceneResult]) -> None:
    echo("")
    echo("Photos in no person's folder")
    rows = [(printable(scene.photo), str(scene.faces), *scene_cells(scene)) for scene in scenes]
    for line in _columns([("photo", "faces", "named (distance)", "answer", ""), *rows]):
        echo(f"  {line}")


def scene_cells(scene: SceneResult) -> tuple[str, str, str]:
    """Who is named, who should be, and whether that is right."""
    named = ", ".join(f"{printable(person)} ({apart:.2f})" for person, apart in sorted(scene.named.items()))
    expected = "not said" if scene.expected is None else ", ".join(map(printable, sorted(scene.expected))) or "nobody"
    verdict = {True: "right", False: "WRONG", None: ""}[scene.right]
    return named or "nobody", expected, verdict
