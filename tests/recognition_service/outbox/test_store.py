import random
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from attendance.database.register import Sighting
from recognition_service.outbox.store import Outbox, OutboxError

NINE = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)


def sighting(
    student: str = "s1", *, session: int = 1, first: float = 0, last: float = 10, **values: object
) -> Sighting:
    seen = Sighting(session, student, NINE + timedelta(seconds=first), NINE + timedelta(seconds=last), 0.9, 7)
    return replace(seen, **values)  # type: ignore[arg-type]


@pytest.fixture
def outbox(tmp_path: Path) -> Iterator[Outbox]:
    box = Outbox(tmp_path / "folder" / "outbox.db")
    yield box
    box.close()


def held(box: Outbox) -> list[Sighting]:
    return [seen for _, seen in box.pending(1_000_000)]


def test_keeps_sightings_until_they_are_discarded(outbox: Outbox) -> None:
    one = sighting("ż-1", first=0.000001, camera_id=None)
    two = sighting("s2", session=2)
    outbox.put([one, two])
    outbox.close()
    outbox = Outbox(outbox.path)
    (first_id, first), (_, second) = outbox.pending(10)
    assert (first, second) == (one, two)
    outbox.discard([first_id])
    assert held(outbox) == [two]
    outbox.discard([first_id, 12345])
    assert outbox.depth() == 1
    outbox.close()


def test_gives_no_more_than_asked_and_leaves_out_what_is_excluded(outbox: Outbox) -> None:
    outbox.put([sighting(f"s{number}") for number in range(5)])
    ids = [row_id for row_id, _ in outbox.pending(3)]
    assert len(ids) == 3
    assert [seen.index_number for _, seen in outbox.pending(10, excluding=ids)] == ["s3", "s4"]


def test_joins_sightings_of_one_student_in_one_session(outbox: Outbox) -> None:
    outbox.put([sighting(first=10, last=20, confidence=0.5, camera_id=1)])
    outbox.put([sighting(first=30, last=40, confidence=0.8, camera_id=2), sighting(session=2)])
    outbox.put([sighting(first=5, last=15, confidence=0.6, camera_id=3)])
    merged = next(seen for seen in held(outbox) if seen.session_id == 1)
    assert merged == sighting(first=5, last=40, confidence=0.8, camera_id=3)
    assert outbox.depth() == 2


def test_discarding_what_was_read_keeps_what_came_meanwhile(outbox: Outbox) -> None:
    outbox.put([sighting(last=10)])
    (read_id, _), *_ = outbox.pending(1)
    outbox.put([sighting(last=50)])
    outbox.discard([read_id])
    assert held(outbox) == [sighting(last=50)]


def test_an_hour_without_the_database_does_not_grow_it(outbox: Outbox) -> None:
    for refresh in range(120):
        outbox.put([sighting(f"s{number}", last=30 * refresh) for number in range(20)])
    assert outbox.depth() == 20
    assert sum(file.stat().st_size for file in outbox.path.parent.iterdir()) < 6_000_000


def test_tells_how_long_the_oldest_has_waited(outbox: Outbox) -> None:
    assert outbox.oldest_age(datetime.now(UTC)) == timedelta(0)
    before = datetime.now(UTC)
    outbox.put([sighting()])
    outbox.put([sighting(last=99)])
    age = outbox.oldest_age(before + timedelta(minutes=5))
    assert timedelta(minutes=4) < age <= timedelta(minutes=5)


def test_calls_listeners_after_the_sighting_is_stored(outbox: Outbox) -> None:
    depths: list[int] = []
    outbox.call_after_put(lambda: depths.append(outbox.depth()))
    outbox.put([sighting()])
    outbox.put([])
    assert depths == [1]


def test_is_readable_by_its_owner_only(tmp_path: Path) -> None:
    path = tmp_path / "outbox.db"
    path.touch(0o644)
    box = Outbox(path)
    box.put([sighting()])
    assert {file.name: file.stat().st_mode & 0o777 for file in tmp_path.iterdir()} == {
        "outbox.db": 0o600,
        "outbox.db-wal": 0o600,
        "outbox.db-shm": 0o600,
    }
    box.close()


def test_syncs_every_commit(outbox: Outbox) -> None:
    assert outbox._connection is not None
    assert outbox._connection.execute("PRAGMA synchronous").fetchone() == (2,)
    assert outbox._connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)


def _garbage(path: Path) -> None:
    path.write_bytes(random.Random(1).randbytes(20_000))


def _cut_short(path: Path) -> None:
    _full(path)
    path.write_bytes(path.read_bytes()[:8192])


def _page_overwritten(path: Path) -> None:
    _full(path)
    data = bytearray(path.read_bytes())
    data[3 * 4096 : 3 * 4096 + 200] = random.Random(1).randbytes(200)
    path.write_bytes(data)


def _full(path: Path) -> None:
    box = Outbox(path)
    box.put([sighting(f"s{number}") for number in range(500)])
    box.close()


def _of_another_program(path: Path) -> None:
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE lecturer (id INTEGER)")
    connection.close()


def _of_a_newer_version(path: Path) -> None:
    Outbox(path).close()
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA user_version = 5")
    connection.close()


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (_garbage, "not a database"),
        (_cut_short, "damaged"),
        (_page_overwritten, "damaged"),
        (_of_another_program, "something else"),
        (_of_a_newer_version, "newer version"),
        (Path.mkdir, "directory"),
    ],
)
def test_refuses_a_file_it_cannot_trust_and_leaves_it_alone(
    tmp_path: Path, spoil: Callable[[Path], None], reason: str
) -> None:
    path = tmp_path / "outbox.db"
    spoil(path)
    before = path.read_bytes() if path.is_file() else b""
    with pytest.raises(OutboxError, match=reason) as raised:
        Outbox(path)
    assert str(path) in str(raised.value)
    assert not before or path.read_bytes() == before


def test_refuses_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OutboxError, match=r"file/outbox\.db: cannot be opened"):
        Outbox(tmp_path / "file" / "outbox.db")


def test_acknowledges_nothing_when_its_file_is_gone(outbox: Outbox) -> None:
    outbox.put([sighting()])
    outbox.path.unlink()
    with pytest.raises(OutboxError, match="removed"):
        outbox.put([sighting("s2")])
    with pytest.raises(OutboxError, match="removed"):
        outbox.check_writable()


def test_says_that_it_is_closed(outbox: Outbox) -> None:
    outbox.close()
    outbox.close()
    for call in (lambda: outbox.put([sighting()]), lambda: outbox.pending(1), outbox.depth, outbox.check_writable):
        with pytest.raises(OutboxError, match="closed"):
            call()


def test_stores_all_of_a_put_or_nothing(outbox: Outbox) -> None:
    with pytest.raises(OutboxError, match="cannot store"):
        outbox.put([sighting("s1"), sighting("s2", confidence=float("nan"))])
    with pytest.raises(TypeError):
        outbox.put([sighting("s1"), sighting("s2", first_seen=datetime(2026, 1, 1))])
    assert outbox.depth() == 0
    outbox.put([sighting("s3")])
    assert outbox.depth() == 1


def test_serves_many_threads(outbox: Outbox) -> None:
    def work(number: int) -> None:
        for session in range(10):
            outbox.put([sighting(f"s{number}", session=session)])

    threads = [threading.Thread(target=work, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert outbox.depth() == 60


_PUTS_UNTIL_KILLED = """
import sys
from datetime import UTC, datetime
from pathlib import Path
from attendance.database.register import Sighting
from recognition_service.outbox.store import Outbox

outbox, number, now = Outbox(Path(sys.argv[1])), int(sys.argv[2]), datetime.now(UTC)
while True:
    outbox.put([Sighting(1, f"s{number + more}", now, now, 0.9, None) for more in range(3)])
    number += 3
    print(number, flush=True)
"""


def test_what_was_acknowledged_survives_being_killed(tmp_path: Path) -> None:
    path, acknowledged = tmp_path / "outbox.db", 0
    chance = random.Random(20261123)
    for _ in range(6):
        command = [sys.executable, "-c", _PUTS_UNTIL_KILLED, str(path), str(acknowledged)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            lines = [process.stdout.readline()]
            time.sleep(chance.uniform(0, 0.2))
            process.send_signal(signal.SIGKILL)
            lines += process.stdout.readlines()
        acknowledged = max(int(line) for line in lines if line.endswith("\n"))
        box = Outbox(path)
        students = {seen.index_number for seen in held(box)}
        box.close()
        assert {f"s{number}" for number in range(acknowledged)} <= students


_PUTS_ON_A_FULL_DISK = """
import resource, sys
from datetime import UTC, datetime
from pathlib import Path
from attendance.database.register import Sighting
from recognition_service.outbox.store import Outbox, OutboxError

outbox, now, number = Outbox(Path(sys.argv[1])), datetime.now(UTC), 0
def put():
    outbox.put([Sighting(1, f"s{number}", now, now, 0.9, None)])
resource.setrlimit(resource.RLIMIT_FSIZE, (150_000, resource.RLIM_INFINITY))
try:
    while True:
        put()
        number += 1
except OutboxError as error:
    print(number, error, sep="|")
    assert outbox.depth() == number
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
put()
outbox.check_writable()
"""


def test_a_full_disk_refuses_the_next_sighting_and_loses_none(tmp_path: Path) -> None:
    path = tmp_path / "outbox.db"
    command = [sys.executable, "-c", _PUTS_ON_A_FULL_DISK, str(path)]
    finished = subprocess.run(command, capture_output=True, text=True, check=False)
    assert finished.returncode == 0, finished.stderr
    stored, _, message = finished.stdout.partition("|")
    assert f"outbox {path}: cannot store sightings" in message
    box = Outbox(path)
    assert {seen.index_number for seen in held(box)} == {f"s{number}" for number in range(int(stored) + 1)}
    box.close()


_times = st.integers(0, 1000)
_puts = st.tuples(st.integers(1, 2), st.sampled_from("abc"), _times, _times, st.floats(0, 1))


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=st.lists(st.one_of(st.lists(_puts, max_size=4), st.integers(0, 3)), max_size=12))
def test_holds_exactly_what_was_put_and_not_discarded(
    tmp_path_factory: pytest.TempPathFactory, steps: list[list[tuple[int, str, int, int, float]] | int]
) -> None:
    box = Outbox(tmp_path_factory.mktemp("outbox") / "outbox.db")
    model: dict[tuple[int, str], tuple[int, int, float]] = {}
    for step in steps:
        if isinstance(step, int):  # discard the first few
            rows = box.pending(step)
            box.discard([row_id for row_id, _ in rows])
            for _, seen in rows:
                del model[seen.session_id, seen.index_number]
            continue
        box.put([sighting(who, session=where, first=a, last=a + b, confidence=c) for where, who, a, b, c in step])
        for where, who, a, b, c in step:
            old = model.get((where, who), (a, a + b, c))
            model[where, who] = min(old[0], a), max(old[1], a + b), max(old[2], c)
    found = {
        (seen.session_id, seen.index_number): (
            (seen.first_seen - NINE).total_seconds(),
            (seen.last_seen - NINE).total_seconds(),
            seen.confidence,
        )
        for seen in held(box)
    }
    box.close()
    assert found == model
