"""Erasing a student whom a running service sees, remembers, and has waiting in its outbox."""

import asyncio
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from attendance.database.models import AttendanceEvidence
from attendance.database.register import Sighting
from attendance.database.watching.late_frames import take_in_sightings
from attendance.gallery.store import Store
from attendance.settings.attendance import LateFrames
from operations.erasure import ErasureReport, erase_students
from protos.attendance.v1 import attendance_pb2 as pb
from recognition_service.outbox.store import Outbox
from tests.recognition_service.campus import COLOURS, CameraCall, Campus, calling, face_of, running, until
from tests.recognition_service.engines import MODEL, SIZE, ColourEngine, encoding_of
from tests.stores import write_store


@pytest.fixture
def away(monkeypatch: pytest.MonkeyPatch) -> threading.Event:
    """While set, the committer finds the database away, so that what was seen waits."""
    away = threading.Event()

    def record(db: Session, session_id: int, sightings: Sequence[Sighting], rule: LateFrames) -> list[bool]:
        if away.is_set():
            raise sa.exc.OperationalError("", {}, Exception("away"))
        return take_in_sightings(db, session_id, sightings, rule)

    monkeypatch.setattr("recognition_service.outbox.committer.take_in_sightings", record)
    return away


def waiting(outbox: Path) -> tuple[set[str], list[bytes]]:
    """Of whom sightings wait, and the uids of the evidence that does."""
    box = Outbox(outbox)
    seen = [sighting for _, sighting in box.pending(100)]
    uids = [evidence.uid.encode() for _, evidence in box.evidence_of(seen)]
    box.close()
    return {sighting.index_number for sighting in seen}, uids


def files(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in folder.glob("outbox.db*"))


async def erase(campus: Campus, student: str) -> ErasureReport:
    rows = {name: encoding_of(colour)[np.newaxis].astype(np.float64) for name, colour in COLOURS.items()}
    write_store(campus.settings.store_path, Store(rows, MODEL, SIZE))
    return await asyncio.to_thread(erase_students, campus.settings, campus.engine, [student])


async def test_what_waits_goes_and_what_the_service_remembers_does_not_come_back(
    campus: Campus, away: threading.Event
) -> None:
    folder = campus.settings.data.directory
    away.set()
    async with running(campus.settings, ColourEngine) as service, calling(service) as stub:
        camera = CameraCall(stub, campus.front, "front", campus.now)
        await camera.opened()
        for _ in range(4):
            await camera.ask(face_of("red"))
        before, uids = waiting(folder / "outbox.db")
        assert (before, len(uids)) == ({"red"}, 1)
        assert uids[0] in files(folder)

        report = await erase(campus, "red")
        assert (report.unfinished, report.waiting) == ([], 2)
        assert uids[0] not in files(folder)
        for _ in range(6):  # the student sits there still, and the index knows the face for a moment
            await camera.ask(face_of("red"))
        assert waiting(folder / "outbox.db") == (set(), [])
        await until(lambda: service.gallery is not None and "red" not in service.gallery.identities)
        for _ in range(4):
            await camera.ask(face_of("red"))
        await camera.call.done_writing()
        assert (await camera.ending())[0].name == "OK"
        assert waiting(folder / "outbox.db") == (set(), [])
        away.clear()
    assert b"red" not in files(folder)
    assert campus.register() == {}
    with campus.sessions() as db:
        assert db.scalars(sa.select(AttendanceEvidence)).all() == []


async def test_others_go_on_being_recorded(campus: Campus, start: Callable[..., Any], open_stream: Any) -> None:
    camera = await open_stream(await start())
    for _ in range(4):
        await camera.ask(face_of("green"))
    assert (await erase(campus, "red")).unfinished == []
    for _ in range(4):
        result = await camera.ask(face_of("green"))
        assert result.outcome == pb.FRAME_OUTCOME_RECOGNIZED
    await until(lambda: campus.register() == {"green": "present"})
