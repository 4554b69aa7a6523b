"""How many connections a program may allow, under real limits on open files; and servers that end at once."""

import resource
import socket
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from recognition_service.listening import end_server

PROGRAM = """
import resource, sys
resource.setrlimit(resource.RLIMIT_NOFILE, (int(sys.argv[1]), int(sys.argv[2])))
from recognition_service.listening import allowed_connections
print(allowed_connections(int(sys.argv[3])), resource.getrlimit(resource.RLIMIT_NOFILE)[0])
"""


@pytest.mark.parametrize(
    ("soft", "hard", "wanted", "allowed", "raised"),
    [(900, 900, 500, 500, 900), (300, 1000, 500, 500, 756), (300, 700, 500, 444, 700), (100, 100, 500, 1, 100)],
    ids=["enough", "raised", "as far as it may be", "hardly any"],
)
def test_files_are_kept_for_what_is_not_a_connection(
    soft: int, hard: int, wanted: int, allowed: int, raised: int
) -> None:
    if resource.getrlimit(resource.RLIMIT_NOFILE)[1] < 1000:
        pytest.skip("this machine allows too few open files")
    words = [str(number) for number in (soft, hard, wanted)]
    done = subprocess.run([sys.executable, "-c", PROGRAM, *words], check=True, capture_output=True, text=True)
    assert done.stdout.splitlines()[-1] == f"{allowed} {raised}"
    assert ("fewer_connections" in done.stdout + done.stderr) == (allowed < wanted)


def test_a_server_that_nobody_calls_ends_at_once_and_frees_its_port() -> None:
    took = 0.0
    for _ in range(5):
        server = ThreadingHTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler)
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        time.sleep(0.02)  # it waits for calls
        began = time.monotonic()
        end_server(server, thread)
        took += time.monotonic() - began
        assert not thread.is_alive()
        with socket.socket() as next_one:
            next_one.bind(server.server_address[:2])
    assert took < 1, "by itself it takes a quarter of a second each time, on average"
