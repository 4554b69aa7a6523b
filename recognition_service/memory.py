"""How the memory of the service is handed out."""

import ctypes
import gc
import os
import sys

from attendance.face_engine.runtimes.runtime import usable_cores

_M_ARENA_MAX = -8
"""Of glibc's malloc.h."""
_FEWEST, _CORES_EACH = 2, 4
"""Arenas at least, and cores for each: on large machines threads are not to wait for two (measured on two cores)."""


def share_arenas() -> bool:
    """Let all threads of this process take memory from few arenas; call it before threads start.

    glibc gives threads arenas of their own, eight a core, and none uses what is free in another's: pictures that one
    thread decodes, a second searches and a third lets go of leave holes in all of them. After six minutes of twice
    saturation on two cores 340 MiB of 800 were free and held, with two arenas 90 of 580, and as many frames a second.

    Returns:
        Whether it was done: other C libraries have no such thing, and a number in the environment is somebody's choice.
    """
    chosen = "MALLOC_ARENA_MAX" in os.environ or "arena_max" in os.environ.get("GLIBC_TUNABLES", "")
    if chosen or sys.platform != "linux":
        return False
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):
        return False
    return bool(mallopt(_M_ARENA_MAX, max(_FEWEST, usable_cores() // _CORES_EACH)))


def look_for_garbage_in_what_is_new() -> None:
    """Let Python pass over all that there is now when it looks for garbage; call it once everything is loaded.

    It looks at old objects only when a quarter as many new ones have grown old (CPython's InternalDocs).
    A service loads 230,000, so garbage of up to 60,000 was kept for minutes.
    """
    gc.collect()
    gc.freeze()
