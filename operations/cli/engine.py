"""`attendance engine`: what the face engine runs on."""

import click

from attendance.face_engine.factory import create_engine
from attendance.settings import load_settings


@click.group()
def engine() -> None:
    """Show what the face engine runs on."""


@engine.command()
def info() -> None:
    """Load the configured engine and say what it runs on."""
    settings = load_settings().engine
    loaded = create_engine(**settings.arguments())
    facts = loaded.info
    loaded.close()
    rows = {
        "Engine": facts.name,
        "Detector": facts.detector,
        "Runtime": facts.runtime,
        "Device": facts.device,
        "Precision": facts.precision,
        "Encodings": f"{facts.model}, {facts.encoding_size} numbers each",
    }
    for title, value in rows.items():
        click.echo(f"{title + ':':<11} {value}")
    click.echo("Models (SHA-256):")
    for model in facts.models:
        click.echo(f"  {model.sha256}  {model.name}")
