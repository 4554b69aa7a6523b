"""Where threads take memory from, and what is given back, in processes of their own."""

import os
import platform
import subprocess
import sys
from pathlib import Path

import pytest

from attendance.face_engine.runtimes.runtime import usable_cores

_COUNT = """
import ctypes, re, sys, threading
from recognition_service.memory import share_arenas
print(share_arenas() if sys.argv[1] == "shared" else None)
libc = ctypes.CDLL(None)
libc.malloc.restype, libc.malloc.argtypes = ctypes.c_void_p, [ctypes.c_size_t]
libc.fopen.restype, libc.fopen.argtypes = ctypes.c_void_p, [ctypes.c_char_p, ctypes.c_char_p]
libc.malloc_info.argtypes, libc.fclose.argtypes = [ctypes.c_int, ctypes.c_void_p], [ctypes.c_void_p]
barrier = threading.Barrier(64)
def take():
    barrier.wait()
    libc.malloc(100_000)
    barrier.wait()
threads = [threading.Thread(target=take) for _ in range(64)]
[one.start() for one in threads]
[one.join() for one in threads]
stream = libc.fopen(sys.argv[2].encode(), b"w")
libc.malloc_info(0, stream)
libc.fclose(stream)
print(len(re.findall("<heap ", open(sys.argv[2]).read())))
"""

pytestmark = pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc has arenas")


def arenas(folder: Path, how: str, **environ: str) -> tuple[str, int]:
    clean = {name: value for name, value in os.environ.items() if name not in {"MALLOC_ARENA_MAX", "GLIBC_TUNABLES"}}
    done = subprocess.run(
        [sys.executable, "-c", _COUNT, how, str(folder / "arenas.xml")],
        capture_output=True,
        text=True,
        check=True,
        env=clean | environ,
    )
    answer, count = done.stdout.split()
    return answer, int(count)


def test_threads_share_few_arenas(tmp_path: Path) -> None:
    assert arenas(tmp_path, "as glibc does")[1] > max(2, usable_cores() // 4), "or the test shows nothing"
    assert arenas(tmp_path, "shared") == ("True", max(2, usable_cores() // 4))


@pytest.mark.parametrize(("name", "value"), [("MALLOC_ARENA_MAX", "5"), ("GLIBC_TUNABLES", "glibc.malloc.arena_max=5")])
def test_a_number_in_the_environment_is_somebodys_choice(tmp_path: Path, name: str, value: str) -> None:
    answer, count = arenas(tmp_path, "shared", **{name: value})
    assert answer == "False"
    assert 2 < count <= 5


_HOLES = """
import asyncio, re
from contextlib import suppress
from recognition_service.memory import give_back_what_is_free
def held():
    return int(re.search(r"RssAnon:\\s*(\\d+)", open("/proc/self/status").read())[1]) >> 10
blocks = [bytes(100_000) for _ in range(3000)]
kept = blocks[::100]
full = held()
del blocks
holes = held()
async def wait():
    with suppress(TimeoutError):
        await asyncio.wait_for(give_back_what_is_free(0.05), 0.5)
asyncio.run(wait())
print(full, holes, held())
"""


def test_what_is_free_is_given_back() -> None:
    done = subprocess.run([sys.executable, "-c", _HOLES], capture_output=True, text=True, check=True)
    full, holes, after = map(int, done.stdout.split())
    assert holes > full - 50, "or the test shows nothing"
    assert after < full / 2


def test_what_is_loaded_is_passed_over() -> None:
    words = (
        "import gc; from recognition_service.memory import look_for_garbage_in_what_is_new as done; "
        "done(); assert gc.get_freeze_count() > 1000; assert len(gc.get_objects()) < 1000"
    )
    subprocess.run([sys.executable, "-c", words], check=True)
