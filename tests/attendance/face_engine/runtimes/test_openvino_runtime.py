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
