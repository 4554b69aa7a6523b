"""`attendance engine`: what the face engine runs on."""

import click

from attendance.face_engine.interface import EngineInfo
from attendance.models_in_use import models_in_use
from attendance.settings import load_settings


@click.group()
def engine() -> None:
    """Show what the face engine runs on."""


def _timing_table(facts: EngineInfo) -> list[str]:
    """What was measured on this machine where the settings leave runtime and precision open."""
    if not facts.timings:
        return ["Measured:   nothing; the settings name runtime and precisions"]
    rows = [
        f"  {one.part:<10} {one.runtime:<12} {one.precision:<5} {one.milliseconds:8.2f} ms" for one in facts.timings
    ]
    return ["Measured on this machine, a 640 x 480 frame (search) and four faces (encoding):", *rows]


@engine.command()
def info() -> None:
    """Load the configured engine and say what it runs on."""
    settings = load_settings()
    models = models_in_use(settings)
    loaded = models.create_engine(settings.engine)
    facts = loaded.info
    loaded.close()
    rows = {
        "Family": f"{models.family}: {models.why}",
        "Engine": facts.name,
        "Detector": facts.detector,
        "Runtime": facts.runtime,
        "Device": facts.device,
        "Precision": facts.precision,
        "Encodings": f"{facts.model}, {facts.encoding_size} numbers each",
    }
    for title, value in rows.items():
        click.echo(f"{title + ':':<11} {value}")
    if models.note:
        click.echo(models.note)
    for line in _timing_table(facts):
        click.echo(line)
    click.echo("Models (SHA-256):")
    for model in facts.models:
        click.echo(f"  {model.sha256}  {model.name}")
