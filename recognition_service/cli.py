"""`attendance serve`."""

import asyncio
import signal

import click

from attendance.settings import Settings, load_settings
from attendance.settings.logs import configure_logging
from recognition_service.app import RecognitionService
from recognition_service.memory import look_for_garbage_in_what_is_new, share_arenas
from recognition_service.telemetry.threads import switch_soon


@click.command()
def serve() -> None:
    """Run the recognition service until Ctrl-C or SIGTERM.

    Needs the database (`attendance db upgrade`) and, to name anybody, an index (`attendance index build`); both may
    change while it runs.
    """
    settings = load_settings()
    configure_logging(settings.log)
    switch_soon()
    share_arenas()
    asyncio.run(_serve(settings))


async def _serve(settings: Settings) -> None:
    service = RecognitionService(settings)
    stopping = asyncio.Event()
    hurrying: set[asyncio.Task[None]] = set()

    def on_signal() -> None:
        if stopping.is_set():
            hurrying.add(asyncio.create_task(service.hurry()))
        stopping.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, on_signal)
    starting = asyncio.create_task(service.start())
    stop_asked = asyncio.create_task(stopping.wait())
    try:
        await asyncio.wait({starting, stop_asked}, return_when=asyncio.FIRST_COMPLETED)
        if starting.done():
            starting.result()
            look_for_garbage_in_what_is_new()
            click.echo(_ready_line(service))
            await stop_asked
            click.echo("Stopping: frames in flight are finished and stored (Ctrl-C again to wait no longer).")
    finally:
        for task in (starting, stop_asked):
            task.cancel()
        await asyncio.gather(starting, stop_asked, return_exceptions=True)
        await service.stop()
        await asyncio.gather(*hurrying, return_exceptions=True)


def _ready_line(service: RecognitionService) -> str:
    engine, gallery = service.engine, service.gallery
    on = f"engine {engine.name} ({engine.detector}, {engine.runtime}, {engine.device})" if engine else "no engine"
    index = (
        f"index {gallery.version} of {len(gallery.identities)} students"
        if gallery
        else "no index yet, so every face is a stranger's: run `attendance index build`"
    )
    return f"The recognition service listens on {service.address} with {on} and {index}."
