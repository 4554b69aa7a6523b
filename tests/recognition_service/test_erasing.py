"""Services carry erasures out that stand in the database: two that run, one that is away, one that comes back."""

import asyncio
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
import sqlalchemy as sa

from attendance.database.consent import BY_STUDENT
from attendance.database.engine import begin_writing
from attendance.database.models import Erasure, ErasureAcknowledgement, Service, Student
from attendance.database.register import Sighting
from attendance.database.upkeep.erasure import delete_student, withdraw_and_erase
from attendance.database.upkeep.services import GONE_AFTER
from attendance.gallery.store import Store
from attendance.settings import Settings
from operations.erasure import finish, services_waited_for
from operations.gallery_work import GalleryWorker
from recognition_service.app import RecognitionService
from recognition_service.outbox.store import Outbox, OutboxError
from recognition_service.streams.camera_stream import CameraStream
from tests.recognition_service.campus import (
    COLOURS,
    CameraCall,
    Campus,
    calling,
    face_of,
    publish_index,
    running,
    until,
)
from tests.recognition_service.engines import MODEL, SIZE, ColourEngine, encoding_of
from tests.recognition_service.evidences import make_evidence
from tests.stores import write_store


def named(campus: Campus, name: str, folder: Path) -> Settings:
    """The settings of another service: a name and an outbox of its own, in a place that the command does not reach."""
    service = campus.settings.service.model_copy(update={"name": name, "outbox": folder / f"{name}.db"})
    return campus.settings.model_copy(update={"service": service})


def ask(campus: Campus, student: str, *, deletion: bool = False) -> None:
    with campus.sessions.begin() as db:
        begin_writing(db)
        row = db.scalars(sa.select(Student).where(Student.index_number == student)).one()
        (delete_student if deletion else withdraw_and_erase)(db, row, now=datetime.now(UTC), recorder=BY_STUDENT)


def acknowledged(campus: Campus) -> set[str]:
    with campus.sessions() as db:
        return set(db.scalars(sa.select(Service.name).join(ErasureAcknowledgement)))


def work(campus: Campus) -> None:
    """As `attendance gallery work --once` does."""
    GalleryWorker(campus.settings, campus.engine).run_once(threading.Event())


def fill_store(campus: Campus) -> None:
    rows = {name: encoding_of(colour)[np.newaxis].astype(np.float64) for name, colour in COLOURS.items()}
    write_store(campus.settings.store_path, Store(rows, MODEL, SIZE))


def streams_of(service: RecognitionService) -> list[CameraStream]:
    hub = service._erasures._forget.__self__  # type: ignore[attr-defined]  # a method of the hub
    return list(hub.streams.values())


def remembers(service: RecognitionService, student: str) -> bool:
    """Whether anything that the service keeps in memory names the student."""
    texts = [repr(service.gallery.identities if service.gallery else ())]
    texts.append(repr(service._whereabouts._seen))
    timetable = service._erasures._timetable
    for stream in streams_of(service):
        flow = stream._flow
        texts.append(repr((stream._confirmed, flow._settled._searches)))
        for state in flow._sessions.values():
            texts.append(repr(list(state.records)))
            texts += [repr(list(evidence.cases)) for evidence in state.confirmer._persons.values()]
    texts += [repr(block.plans) for block in timetable._blocks.values()]
    return any(f"'{student}'" in text for text in texts)


async def test_every_running_service_erases_what_it_remembers_and_says_so(campus: Campus, tmp_path: Path) -> None:
    fill_store(campus)
    one, two = (named(campus, name, tmp_path) for name in ("one", "two"))
    async with running(one, ColourEngine) as first, calling(first) as stub, running(two, ColourEngine) as second:
        camera = CameraCall(stub, campus.front, "front", campus.now)
        await camera.opened()
        for _ in range(4):
            await camera.ask(face_of("red"))
        assert remembers(first, "red")
        flow = streams_of(first)[0]._flow
        (person,) = flow._tracker._persons
        ask(campus, "red", deletion=True)
        await asyncio.sleep(2.5)  # both have looked, and the index still holds the student
        assert acknowledged(campus) == set()
        for _ in range(3):
            await camera.ask(face_of("red"))
        await asyncio.to_thread(work, campus)
        await until(lambda: acknowledged(campus) == {"one", "two"})
        assert not remembers(first, "red")
        assert not remembers(second, "red")
        assert person not in flow._tracker._persons, "what was known of the student's face is forgotten"
        for _ in range(3):
            await camera.ask(face_of("red"))  # the student sits there still
        assert not remembers(first, "red")
        await camera.call.done_writing()
        await asyncio.to_thread(work, campus)
    assert b"red" not in b"".join(path.read_bytes() for path in tmp_path.glob("one.db*"))
    with campus.sessions() as db:
        erasure = db.scalars(sa.select(Erasure)).one()
    assert (erasure.index_number, erasure.finished_at is None) == (None, False)


async def test_nothing_is_remembered_of_a_class_that_is_over(campus: Campus, tmp_path: Path) -> None:
    fill_store(campus)
    async with running(named(campus, "one", tmp_path), ColourEngine) as service, calling(service) as stub:
        camera = CameraCall(stub, campus.front, "front", campus.now)
        await camera.opened()
        for _ in range(4):
            await camera.ask(face_of("red"))
        await camera.call.done_writing()
        await until(lambda: not streams_of(service))
        assert remembers(service, "red")
        ask(campus, "red")
        await asyncio.to_thread(work, campus)
        await until(lambda: acknowledged(campus) == {"one"})
        assert not remembers(service, "red")


async def test_others_in_the_room_are_known_on(campus: Campus, tmp_path: Path) -> None:
    fill_store(campus)
    async with running(named(campus, "one", tmp_path), ColourEngine) as service, calling(service) as stub:
        camera = CameraCall(stub, campus.front, "front", campus.now)
        await camera.opened()
        for _ in range(4):
            await camera.ask(face_of("green"))
        flow = streams_of(service)[0]._flow
        persons = list(flow._tracker._persons)
        ask(campus, "red")
        await asyncio.to_thread(work, campus)
        await until(lambda: acknowledged(campus) == {"one"})
        assert list(flow._tracker._persons) == persons
        assert [list(state.records) for state in flow._sessions.values()] == [["green"]]


async def test_a_service_that_is_away_is_named_until_it_comes_back(campus: Campus, tmp_path: Path) -> None:
    fill_store(campus)
    away = named(campus, "away", tmp_path)
    async with running(away, ColourEngine):
        await until(lambda: known(campus) == {"away"})
    box = Outbox(tmp_path / "away.db")
    seen = Sighting(campus.session_id, "red", campus.now, campus.now, 0.9, None)
    box.put([seen], [make_evidence(campus.session_id, "red", uid="waits")])
    box.close()
    ask(campus, "red")
    work(campus)
    ((_, services),) = services_waited_for(campus.engine)
    assert [service.name for service in services] == ["away"]
    assert finish(campus.sessions) == 0
    async with running(away, ColourEngine):
        await until(lambda: acknowledged(campus) == {"away"})
    assert finish(campus.sessions) == 1
    assert b"waits" not in b"".join(path.read_bytes() for path in tmp_path.glob("away.db*"))
    assert campus.register() == {}


async def test_who_was_erased_while_a_service_was_gone_goes_from_its_outbox_when_it_comes_back(
    campus: Campus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill_store(campus)
    gone = named(campus, "gone", tmp_path)
    box = Outbox(tmp_path / "gone.db")
    for student in ("red", "green"):
        seen = Sighting(campus.session_id, student, campus.now, campus.now, 0.9, None)
        box.put([seen], [make_evidence(campus.session_id, student, uid=f"of-{student}")])
    box.close()
    long_ago = datetime.now(UTC) - GONE_AFTER - timedelta(minutes=1)
    with campus.sessions.begin() as db:
        db.add(Service(name="gone", first_seen_at=long_ago, last_seen_at=long_ago))
    ask(campus, "red", deletion=True)
    work(campus)
    assert services_waited_for(campus.engine) == [], "nobody waits for it"
    # Not the committer, which would find no place for the student either, but the watch.
    monkeypatch.setattr("recognition_service.outbox.committer.Committer.start", lambda _: None)
    async with running(gone, ColourEngine):
        await until(lambda: known(campus, since=campus.now) == {"gone"})
        await until(lambda: waiting(tmp_path / "gone.db") == {"green"})


async def test_an_outbox_that_somebody_reads_keeps_a_service_from_saying_so(
    campus: Campus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill_store(campus)
    publish_index(campus.settings, ("green", "blue"))
    async with running(named(campus, "one", tmp_path), ColourEngine) as service:
        await until(lambda: known(campus) == {"one"})
        outbox = service._erasures._outbox
        service_erase = outbox.erase
        failing = True

        def erase(student: str) -> int:
            if failing:
                raise OutboxError("others have been reading")
            return service_erase(student)

        monkeypatch.setattr(outbox, "erase", erase)
        ask(campus, "red")
        await asyncio.sleep(2.5)
        assert acknowledged(campus) == set()
        failing = False
        await until(lambda: acknowledged(campus) == {"one"})


def known(campus: Campus, since: datetime | None = None) -> set[str]:
    with campus.sessions() as db:
        query = sa.select(Service.name)
        return set(db.scalars(query if since is None else query.where(Service.last_seen_at >= since)))


def waiting(path: Path) -> frozenset[str]:
    box = Outbox(path)
    try:
        return box.students()
    finally:
        box.close()
