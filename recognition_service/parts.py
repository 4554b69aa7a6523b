"""What the service is made of, and the order in which it ends: the last begun ends first."""

import asyncio
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack
from typing import Any

import structlog

from recognition_service.telemetry.threads import name_thread

log = structlog.get_logger()


class Parts(AsyncExitStack):
    """Threads, work on the event loop and whatever else is to be closed; `aclose` ends all in reverse."""

    def executor(self, threads: int, name: str) -> ThreadPoolExecutor:
        """Threads of their own, which end when what they do is done; what waits for them is dropped.

        Args:
            threads: at most.
            name: as the system knows them.
        """
        executor = ThreadPoolExecutor(threads, thread_name_prefix=name, initializer=name_thread, initargs=(name,))
        self.callback(executor.shutdown, wait=False, cancel_futures=True)
        return executor

    def watch(self, name: str, work: Coroutine[Any, Any, None]) -> None:
        """Let work go on beside everything else until its turn to end comes; that it failed is logged then.

        Args:
            name: for the log.
            work: which goes on for ever.
        """
        task = asyncio.create_task(work, name=name)

        async def end() -> None:
            task.cancel()
            (result,) = await asyncio.gather(task, return_exceptions=True)
            if isinstance(result, Exception):
                log.error("watch_failed", watch=name, exc_info=result)

        self.push_async_callback(end)
