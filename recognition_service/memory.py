"""How the memory of the service is handed out and given back."""

import asyncio
import ctypes
import gc
import os
import sys
from collections.abc import Callable

from attendance.face_engine.runtimes.runtime import usable_cores

_M_ARENA_MAX = -8
"""Of glibc's malloc.h."""
_FEWEST, _CORES_EACH = 2, 4
"""Arenas at least, and cores for each: on large machines threads are not to wait for two (measured on two cores)."""
_GIVE_BACK_S = 60.0


def share_arenas() -> bool:
    """Let all threads of this process take memory from few arenas; call it before threads start.

    glibc gives threads arenas of their own, eight a core, and none uses what is free in another's: pictures that one
    thread decodes, a second searches and a third lets go of leave holes in all of them. After six minutes of twice
    saturation on two cores 340 MiB of 800 were free and held, with two arenas 90 of 580, and as many frames a second.

    Returns:
        Whether it was done: other C libraries have no such thing, and a number in the environment is somebody's choice.
    """
    chosen = "MALLOC_ARENA_MAX" in os.environ or "arena_max" in os.environ.get("GLIBC_TUNABLES", "")
    mallopt = None if chosen else _of_glibc("mallopt")
    return bool(mallopt and mallopt(_M_ARENA_MAX, max(_FEWEST, usable_cores() // _CORES_EACH)))


async def give_back_what_is_free(every_s: float = _GIVE_BACK_S) -> None:
    """Give the system again and again what this process holds of free memory; goes on for ever, but without glibc.

    glibc by itself gives back what is free at the end of an arena only. After a camera of 16 megapixels, or hundreds of
    cameras that came together, holes of what they needed stayed. One call takes 10 to 13 ms of a processor where 60 MiB
    of 650 are free, and holds threads that ask for memory up for so long.

    Args:
        every_s: between two calls, seconds.
    """
    trim = _of_glibc("malloc_trim")
    while trim is not None:
        await asyncio.sleep(every_s)
        await asyncio.to_thread(trim, 0)


def look_for_garbage_in_what_is_new() -> None:
    """Let Python pass over all that there is now when it looks for garbage; call it once everything is loaded.

    It looks at old objects only when a quarter as many new ones have grown old (CPython's InternalDocs).
    A service loads 230,000, so garbage of up to 60,000 was kept for minutes.
    """
    gc.collect()
    gc.freeze()


def _of_glibc(name: str) -> Callable[..., int] | None:
    """One of its functions; None: the C library has none of that name."""
    if sys.platform != "linux":
        return None
    try:
        function: Callable[..., int] = getattr(ctypes.CDLL(None), name)
    except (OSError, AttributeError):
        return None
    return function
