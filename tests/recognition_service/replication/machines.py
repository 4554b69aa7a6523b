"""Machines that share nothing but the database: one holds the store, the others fetch its index."""

import asyncio
import threading
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

import grpc
import numpy as np
import sqlalchemy as sa
from click.testing import CliRunner

from attendance.database.consent import BY_STUDENT
from attendance.database.engine import begin_writing
from attendance.database.models import Service, Student
from attendance.database.upkeep.erasure import withdraw_and_erase
from attendance.gallery.publishing import build_index
from attendance.gallery.store import Store
from attendance.settings import Settings
from attendance.settings.families import traits_of
from operations.cli.main import attendance
from operations.gallery_work import GalleryWorker
from protos.attendance.v1 import attendance_pb2 as pb
from recognition_service.app import RecognitionService
from tests.recognition_service.campus import COLOURS, Campus, bearer, calling, face_of
from tests.recognition_service.engines import MODEL, SIZE, alive, encoded, encoding_of
from tests.stores import write_store


class Fleet:
    """The settings of the machines, and what people do to the one that holds the store."""

    def __init__(self, campus: Campus, folder: Path, port: int) -> None:
        """Make certificates and a token; `port` is that of the machine that holds the store."""
        self.campus = campus
        self.folder = folder
        self.tls = folder / "tls"
        made = CliRunner().invoke(attendance, ["tls", "make-test-ca", str(self.tls)])
        assert made.exit_code == 0, made.output
        self.token = folder / "token"
        self.token.write_text(campus.replica)
        self.token.chmod(0o600)
        self.port = port
        service = {"tls_certificate": self.tls / "service.pem", "tls_key": self.tls / "service.key"}
        self.holder = self._settings("holder", campus.settings.data.directory, service=service)

    def replica(self, name: str, **changes: object) -> Settings:
        """The settings of a machine with a disk of its own."""
        replica = {"source": f"localhost:{self.port}", "token_file": self.token, "tls_ca": self.tls / "ca.pem"}
        return self._settings(name, self.folder / name, replica=replica | {"interval_s": 0.1} | changes)

    def _settings(
        self, name: str, data: Path, *, service: Mapping[str, object] | None = None, replica: object = None
    ) -> Settings:
        given = self.campus.settings.model_dump(exclude_unset=True)
        given["service"] |= {"name": name} | (dict(service) if service else {})
        given["service"] |= {"listen": f"127.0.0.1:{self.port if name == 'holder' else 0}"}
        given["data"] = {"directory": data}
        given["database"] = {"url": self.campus.settings.database_url}
        return Settings.model_validate(given | ({"replica": replica} if replica else {}))

    def enrol(self, *students: str, crowd: int = 0) -> str:
        """Write the store anew and publish its index, as enrolling does; with a crowd of others, for its size."""
        rows = {name: encoding_of(COLOURS[name])[np.newaxis].astype(np.float64) for name in students}
        far = np.random.default_rng(1).uniform(50, 60, (crowd, 1, SIZE))
        rows |= {f"other-{number}": far[number] for number in range(crowd)}
        write_store(self.holder.store_path, Store(rows, MODEL, SIZE))
        return build_index(self.holder.store_path, self.holder.index_path, traits_of=traits_of).manifest.version

    def withdraw(self, student: str) -> None:
        """As the student does on the own page."""
        with self.campus.sessions.begin() as db:
            begin_writing(db)
            row = db.scalars(sa.select(Student).where(Student.index_number == student)).one()
            withdraw_and_erase(db, row, now=datetime.now(UTC), recorder=BY_STUDENT)

    def work(self) -> None:
        """As `attendance gallery work --once` does on the machine that holds the store."""
        GalleryWorker(self.holder, self.campus.engine).run_once(threading.Event())

    def row(self, name: str) -> Service:
        """What a service told the database of itself."""
        with self.campus.sessions() as db:
            return db.scalars(sa.select(Service).where(Service.name == name)).one()

    def credentials(self) -> grpc.ChannelCredentials:
        return grpc.ssl_channel_credentials((self.tls / "ca.pem").read_bytes())

    async def named(self, service: RecognitionService, student: str) -> str:
        """Whom a service names when it sees the student; "" for nobody."""
        tls = self.credentials() if service.name == "holder" else None
        async with calling(service, tls) as stub:
            request = pb.RecognizeRequest(image=encoded(alive(face_of(student), 1)))
            answer = await stub.Recognize(request, metadata=bearer(self.campus.enrolment))
        (face,) = answer.faces
        return str(face.student)


async def until_all(fleet: Fleet, services: list[RecognitionService], student: str, expected: str) -> None:
    """Wait until every service names a student so."""
    async with asyncio.timeout(60):
        for service in services:
            while await fleet.named(service, student) != expected:
                await asyncio.sleep(0.05)
