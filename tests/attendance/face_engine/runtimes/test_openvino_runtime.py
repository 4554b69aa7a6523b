"""What OpenVINO leaves behind in a process."""

import subprocess
import sys

ENDS_ELSEWHERE = """
import faulthandler, gc, signal, threading
import numpy as np
from attendance.face_engine.opencv_engine import OpenCvEngine

faulthandler.enable()
engines = [OpenCvEngine()]
engines[0].detect([np.zeros((480, 640, 3), np.uint8)])

def end():
    engines.clear()
    gc.collect()

thread = threading.Thread(target=end)
thread.start()
thread.join()
heard = []
signal.signal(signal.SIGTERM, lambda number, _: heard.append(number))
signal.raise_signal(signal.SIGTERM)
print(heard)
"""


def test_a_signal_is_heard_after_an_engine_has_ended_in_another_thread() -> None:
    done = subprocess.run(
        [sys.executable, "-c", ENDS_ELSEWHERE], capture_output=True, text=True, timeout=120, check=False
    )
    assert (done.returncode, done.stdout.strip()) == (0, "[15]"), done.stderr[-2000:]


MANY_SHAPES = """
import re
from pathlib import Path
import numpy as np
from attendance.face_engine.models.cache import default_cache_folder
from attendance.face_engine.models.opencv_files import load_opencv_graph
from attendance.face_engine.runtimes.runtime import start_runtime

def own_mib():
    return int(re.search(r"RssAnon:\\s*(\\d+)", Path("/proc/self/status").read_text())[1]) / 1024

graph, _ = load_opencv_graph(default_cache_folder(), "detector")
session = start_runtime("openvino").load(graph, precision="fp32")
sizes = [(height, width) for height in range(256, 545, 32) for width in range(256, 513, 32)]
session.run(np.zeros((1, 544, 512, 3), np.uint8))
before = own_mib()
for height, width in sizes:
    session.run(np.zeros((1, height, width, 3), np.uint8))
print(round(own_mib() - before))
"""


def test_memory_does_not_grow_with_the_shapes_that_were_seen() -> None:
    done = subprocess.run([sys.executable, "-c", MANY_SHAPES], capture_output=True, text=True, timeout=120, check=True)
    assert int(done.stdout) < 100, "MiB; without a limit 260"
