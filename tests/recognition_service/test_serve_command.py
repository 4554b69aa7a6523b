"""`attendance serve` as a program of its own, with the reference engine and real faces."""

import asyncio
import io
import itertools
import json
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path

import grpc
import numpy as np
import pytest
import sqlalchemy as sa
from PIL import Image

from attendance.database.models import Student
from attendance.gallery.format import publish
from attendance.settings.families import traits_of
from protos.attendance.v1 import attendance_pb2 as pb
from protos.attendance.v1 import attendance_pb2_grpc as pb_grpc
from tests.recognition_service.campus import PATIENCE_S, CameraCall, Campus, bearer, until
from tests.recognition_service.engines import encoded

LISTENS = re.compile(
    r"The recognition service listens on (\S+) with engine reference \(hog, dlib \S+, CPU\) and (.+)\."
)


@dataclass
class Program:
    """The running command."""

    process: subprocess.Popen[str]
    log: Path
    address: str = ""
    index: str = ""

    def wait(self) -> tuple[int, str]:
        """Its exit status and the rest of what it printed."""
        output, _ = self.process.communicate(timeout=PATIENCE_S)
        return self.process.returncode, output


@contextmanager
def serve(campus: Campus, folder: Path, **settings: str) -> Iterator[Program]:
    environ = {name: value for name, value in os.environ.items() if not name.startswith("ATTENDANCE_")}
    environ |= {"ATTENDANCE_DATA_DIRECTORY": str(campus.settings.data.directory)}
    environ |= {"ATTENDANCE_SERVICE_LISTEN": "127.0.0.1:0", "ATTENDANCE_ENGINE_UPSAMPLE": "0"}
    environ |= {"ATTENDANCE_SERVICE_METRICS_LISTEN": "off"}
    environ |= {"ATTENDANCE_ENGINE_NAME": "reference", "ATTENDANCE_ENGINE_DETECTOR": "hog", **settings}
    log = folder / "log"
    with (
        log.open("w") as errors,
        subprocess.Popen(
            [sys.executable, "-m", "operations.cli", "serve"],
            env=environ,
            cwd=folder,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            start_new_session=True,
        ) as process,
    ):
        try:
            yield Program(process, log)
        finally:
            process.kill()


def read_ready_line(program: Program) -> None:
    assert program.process.stdout is not None
    line = program.process.stdout.readline()
    found = LISTENS.fullmatch(line.rstrip("\n"))
    assert found, (line, program.log.read_text())
    program.address, program.index = found[1], found[2]


def as_of(photo: bytes, moment: int) -> bytes:
    """The photo as a camera sees it at a moment: no two pictures of a camera are the same to the bit."""
    image = np.asarray(Image.open(io.BytesIO(photo)).convert("RGB")).astype(np.int16)
    image += np.random.default_rng(moment).integers(-3, 4, image.shape, dtype=np.int16)
    return encoded(np.clip(image, 0, 255).astype(np.uint8))


@asynccontextmanager
async def stub_of(program: Program) -> AsyncIterator[pb_grpc.RecognitionServiceStub]:
    async with grpc.aio.insecure_channel(program.address) as channel:
        yield pb_grpc.RecognitionServiceStub(channel)


async def test_from_enrolment_to_the_register_with_real_faces(campus: Campus, tmp_path: Path, pictures: Path) -> None:
    """An operator encodes a photo; the index of it is picked up; a camera sees the person; the register says so."""
    (campus.settings.index_path / "CURRENT").unlink()
    with campus.sessions.begin() as db:
        db.execute(sa.update(Student).where(Student.index_number == "red").values(index_number="obama"))
    with serve(campus, tmp_path) as program:
        await asyncio.to_thread(read_ready_line, program)
        assert "no index yet" in program.index
        async with stub_of(program) as stub:
            operator = bearer(campus.enrolment)
            photo = (pictures / "obama.jpg").read_bytes()
            encoded = await stub.EncodeFaces(pb.EncodeFacesRequest(image=photo), metadata=operator)
            (face,) = encoded.faces
            rows = {"obama": np.array([face.encoding], np.float32)}
            publish(
                campus.settings.index_path,
                rows,
                model=encoded.model,
                traits=traits_of(encoded.model),
                encoding_size=len(face.encoding),
            )

            other = pb.RecognizeRequest(image=(pictures / "obama2.jpg").read_bytes())
            async with asyncio.timeout(PATIENCE_S):
                named: set[str] = set()
                while "obama" not in named:
                    named = {face.student for face in (await stub.Recognize(other, metadata=operator)).faces}

            call = CameraCall(stub, campus.front, "front", campus.now)
            assert (await call.opened()).room == "Hall"
            results = [
                await call.ask(as_of((pictures / f"obama{number}.jpg").read_bytes(), moment))
                for moment, number in enumerate((3, 2) * 3)
            ]
            assert results[-1].faces[0].student == "obama"
            assert results[-1].faces[0].confirmed
            assert (await call.ask((pictures / "biden.jpg").read_bytes())).faces[0].match == pb.MATCH_UNKNOWN

            program.process.send_signal(signal.SIGTERM)
            assert (await call.read()).HasField("closing")
            assert (await call.ending())[0] == grpc.StatusCode.OK
        status, output = await asyncio.to_thread(program.wait)
    assert status == 0
    assert output.startswith("Stopping")
    assert campus.register() == {"obama": "present"}
    events = [json.loads(line) for line in program.log.read_text().splitlines()]
    assert {"ready", "stream_opened", "student_confirmed", "draining"} <= {event["event"] for event in events}
    assert campus.front not in program.log.read_text()


@pytest.mark.parametrize("moment", ["listening", "ready"])
async def test_ctrl_c_stops_it_while_the_models_are_loaded_and_after(
    campus: Campus, tmp_path: Path, moment: str
) -> None:
    with serve(campus, tmp_path) as program:
        await until(lambda: f'"{moment}"' in program.log.read_text() or "not_ready" in program.log.read_text())
        os.killpg(program.process.pid, signal.SIGINT)  # as a terminal does: the engine's process gets it too
        status, output = await asyncio.to_thread(program.wait)
    assert status == 0
    assert "Traceback" not in output + program.log.read_text()


async def test_what_a_killed_service_had_acknowledged_is_committed_by_the_next(
    campus: Campus, tmp_path: Path, pictures: Path
) -> None:
    (campus.settings.index_path / "CURRENT").unlink()
    with campus.sessions.begin() as db:
        db.execute(sa.update(Student).where(Student.index_number == "red").values(index_number="obama"))
    photo = (pictures / "obama.jpg").read_bytes()
    with serve(campus, tmp_path) as program:
        await asyncio.to_thread(read_ready_line, program)
        async with stub_of(program) as stub:
            encoded = await stub.EncodeFaces(pb.EncodeFacesRequest(image=photo), metadata=bearer(campus.enrolment))
            rows = {"obama": np.array([encoded.faces[0].encoding], np.float32)}
            publish(
                campus.settings.index_path,
                rows,
                model=encoded.model,
                traits=traits_of(encoded.model),
                encoding_size=128,
            )
            with campus.engine.connect() as connection:  # the database takes nothing until the service is dead
                connection.exec_driver_sql("ALTER TABLE attendance RENAME TO attendance_gone")
                connection.commit()
            call = CameraCall(stub, campus.front, "front", campus.now)
            await call.opened()
            one, other = ((pictures / f"obama{number}.jpg").read_bytes() for number in (3, 2))
            async with asyncio.timeout(PATIENCE_S):
                # The face varies from when the index is in use: which of two views comes first makes a difference.
                while (await call.ask(one)).faces[0].match != pb.MATCH_STUDENT:
                    pass
                for moment, view in enumerate(itertools.cycle((other, one))):
                    if (await call.ask(as_of(view, moment))).faces[0].confirmed:
                        break
        program.process.kill()
        await asyncio.to_thread(program.wait)
    with campus.engine.connect() as connection:
        connection.exec_driver_sql("ALTER TABLE attendance_gone RENAME TO attendance")
        connection.commit()
    assert campus.register() == {}
    with serve(campus, tmp_path) as program:
        await until(lambda: campus.register() == {"obama": "present"})


def test_wrong_settings_are_one_sentence_each(campus: Campus, tmp_path: Path) -> None:
    status, output = _fail(campus, tmp_path, ATTENDANCE_SERVICE_WINDOW="none", ATTENDANCE_SERVICE_WINDOWS="3")
    assert status == 2
    assert "ATTENDANCE_SERVICE_WINDOW:" in output
    assert "ATTENDANCE_SERVICE_WINDOWS: unknown setting" in output


def test_a_port_in_use_is_one_sentence(campus: Campus, tmp_path: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        address = f"127.0.0.1:{other.getsockname()[1]}"
        status, output = _fail(campus, tmp_path, ATTENDANCE_SERVICE_LISTEN=address)
    assert status == 1
    assert f"Error: ATTENDANCE_SERVICE_LISTEN: cannot listen on {address}" in output


def test_a_database_without_tables_is_one_sentence(campus: Campus, tmp_path: Path) -> None:
    empty = f"sqlite:///{tmp_path / 'empty.db'}"
    status, output = _fail(campus, tmp_path, ATTENDANCE_DATABASE_URL=empty)
    assert status == 1
    assert output.rstrip().endswith("run `attendance db upgrade`")


def _fail(campus: Campus, folder: Path, **settings: str) -> tuple[int, str]:
    with serve(campus, folder, **settings) as program:
        status, output = program.wait()
    log = program.log.read_text()
    assert "Traceback" not in log
    return status, output + log
