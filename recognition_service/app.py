"""The whole service, composed from its parts: started, drained and stopped here, by the command and by tests alike."""

import asyncio
import functools
import socket
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
import structlog
from grpc_health.v1.health import aio as health_aio
from sqlalchemy.orm import Session, sessionmaker

from attendance.database.audit.settings_changes import note_settings
from attendance.database.closer import Closer
from attendance.database.engine import DatabaseError, create_database_engine, require_current_schema, session_factory
from attendance.errors import AttendanceError
from attendance.face_engine.factory import create_engine
from attendance.face_engine.interface import EngineError, EngineInfo, ModelError
from attendance.face_engine.liveness import LivenessModel
from attendance.gallery.gallery import Gallery
from attendance.models_in_use import models_in_use, require_models
from attendance.settings import Settings
from attendance.settings.families import Family, FamilyError
from attendance.settings.matching import MatchingRules, Presentation
from attendance.settings.model import TimeoutAction
from recognition_service.access.auth import AuthInterceptor, CameraIdentity, TokenDirectory
from recognition_service.access.server import build_server
from recognition_service.access.throttle import PeerThrottle
from recognition_service.aiming.server import AimingServer
from recognition_service.aiming.views import AimingViews
from recognition_service.engine.batcher import Batcher
from recognition_service.engine.pipeline import Pipeline
from recognition_service.engine.work import BuildEngine, Found, Job
from recognition_service.engine.worker import EngineWorker
from recognition_service.erasing import ErasureWatch
from recognition_service.evidence.flow import CameraFlow
from recognition_service.evidence.frame_plan import frame_plan
from recognition_service.evidence.gallery_watch import GalleryWatch
from recognition_service.evidence.observing import Observers
from recognition_service.evidence.recognisable import RecognisableWatch
from recognition_service.evidence.timetable import Timetable
from recognition_service.listening import ServerSetupError
from recognition_service.memory import give_back_what_is_free
from recognition_service.outbox.committer import Committer
from recognition_service.outbox.store import Outbox, OutboxError
from recognition_service.parts import Parts
from recognition_service.presentation.impossible import Whereabouts
from recognition_service.presentation.judging import PresentationJudge
from recognition_service.replication.fetching import replica_of
from recognition_service.replication.giving import IndexGiver
from recognition_service.replication.telling import state_of
from recognition_service.servicer import RecognitionServicer
from recognition_service.status import Readiness, Statistics
from recognition_service.streams.health import HealthLog, watch_health
from recognition_service.streams.hub import StreamHub
from recognition_service.streams.tools import StreamTools
from recognition_service.streams.watch import CameraWatch
from recognition_service.telemetry.metrics import Metrics, StateCollector
from recognition_service.telemetry.outgoing import OutgoingCollector
from recognition_service.telemetry.server import MetricsServer
from recognition_service.telemetry.sources import Sources
from recognition_service.telemetry.tracing import NoTracing, Tracing, TracingError, open_tracing
from recognition_service.telemetry.transaction_times import time_transactions

_FLOW_THREADS = 16
_LOOKUP_THREADS = 2
_AIMING_THREADS = 2
_BATCHES_END_S = 10.0
LARGE_S = 1.0
"""A batch that the engine needs so long for keeps memory while others have their turns."""
HAND_OVER_S = 0.005
"""What it takes at most until the loop has heard of the end of a batch's work and has begun the next: some waits of
threads for each other (`telemetry.threads`)."""
_LAST_WORDS_S = 0.5
_FLUSH_S = 10.0
"""Longest wait for the database at the end; what it does not take stays in the outbox for the next start."""

log = structlog.get_logger()


class StartError(AttendanceError):
    """The service cannot start; the message says why and what to do, for people."""


class RecognitionService:
    """One service process. `start` once, then `stop` once."""

    def __init__(
        self,
        settings: Settings,
        *,
        build_engine: BuildEngine | None = None,
        family: Family = Family.DLIB,
        tracing: Tracing | None = None,
    ) -> None:
        """Prepare; nothing is opened yet.

        Args:
            settings: all of them.
            build_engine: makes the engine; the one of the settings and the gallery unless given.
            family: of that engine's models, where it is given.
            tracing: traces frames; that of the settings unless given.
        """
        self._settings = settings
        self._build_engine = build_engine
        self._family = family
        self._parts = Parts()  # end in reverse: calls, batches, engine, commits, files
        self._statistics = Statistics()
        self._metrics = Metrics()
        self._metrics_server = MetricsServer(settings.service.metrics_listen, self._metrics)
        self._server: grpc.aio.Server | None = None
        self._health = health_aio.HealthServicer()
        self._port = 0
        self._tracing: Tracing = tracing or NoTracing()
        self._opens_tracing = tracing is None
        self._liveness: LivenessModel | None = None
        self._whereabouts = Whereabouts()
        self._health_log = HealthLog()
        self._replica = replica_of(settings, self._metrics.index_asked)

    @property
    def port(self) -> int:
        """The port it is bound to."""
        return self._port

    @property
    def metrics_port(self) -> int | None:
        """The port of the metrics; None where they are not served."""
        return self._metrics_server.port

    @property
    def address(self) -> str:
        """Where it listens, with the port chosen."""
        return f"{self._settings.service.listen.rpartition(':')[0]}:{self._port}"

    @property
    def name(self) -> str:
        """By which the database knows it: the setting, or the machine's name and the port."""
        return self._settings.service.name or f"{socket.gethostname()}:{self._port}"

    @property
    def engine(self) -> EngineInfo | None:
        """What the engine runs on; None until it is warm."""
        return self._worker.info

    @property
    def gallery(self) -> Gallery | None:
        """The index in use; None while there is none."""
        return self._gallery.gallery

    async def start(self) -> None:
        """Open everything, begin to answer calls, and return when the engine is warm and an index was looked for.

        Raises:
            StartError: something cannot be used; what had been started is stopped again by `stop`.
        """
        try:
            await self._start()
        except (DatabaseError, OutboxError, ServerSetupError, TracingError) as error:
            raise StartError(str(error)) from None
        except (EngineError, FamilyError) as error:
            raise StartError(f"the face engine cannot be used: {error}") from None
        except OSError as error:
            raise StartError(f"the data folder cannot be used: {error}") from None

    async def stop(self) -> None:
        """Tell the streams, finish what is in flight, store and commit what was seen, and close everything."""
        await self._parts.aclose()

    async def hurry(self) -> None:
        """Wait no longer for calls in flight; for an operator who asks twice."""
        if self._server is not None:
            await self._server.stop(0)

    async def _start(self) -> None:
        self._start_tracing()
        settings = self._settings
        if self._replica is not None:
            self._parts.push_async_callback(self._replica.close)
            await self._replica.begin()
        build, rules = await asyncio.to_thread(self._choose_models)
        self._liveness = await asyncio.to_thread(self._load_liveness)
        sessions = await self._open_database()
        lookups = self._parts.executor(_LOOKUP_THREADS, "lookup")
        flows = self._parts.executor(_FLOW_THREADS, "flow")
        outbox = await asyncio.to_thread(Outbox, settings.outbox_path)
        self._parts.callback(outbox.close)
        timetable = self._start_attendance(sessions, outbox)
        self._gallery = GalleryWatch(settings.index_path, rules)
        self._worker = EngineWorker(build)
        self._parts.push_async_callback(self._worker.close)
        batcher = self._start_batcher()
        readiness = Readiness(
            self._health,
            outbox,
            self._parts.executor(1, "readiness"),  # look-ups wait for a database that is frozen
            engine_ready=lambda: self._worker.ready,
            gallery=lambda: self.gallery,
            index_problem=lambda: (self._replica.problem or "it is being fetched") if self._replica else None,
        )
        await readiness.begin()

        tokens = TokenDirectory(sessions, lookups)
        tools = self._stream_tools(batcher, flows, timetable, outbox, rules)
        hub = self._hub = StreamHub(tools, most=settings.service.max_streams)
        servicer = RecognitionServicer(
            hub=hub,
            tools=tools,
            batcher=batcher,
            engine=self._worker,
            gallery=self._gallery,
            outbox=outbox,
            giver=IndexGiver(settings),
        )
        self._serve_metrics(outbox, batcher, hub, readiness, sessions)
        aiming = self._serve_aiming(tools.aiming, sessions)
        guard = AuthInterceptor(tokens, self._metrics.call_refused, PeerThrottle(settings.service.max_refusals))
        self._server, self._port = build_server(settings.service, servicer, guard, self._health)
        self._parts.push_async_callback(self._drain, self._server, hub, servicer)
        await self._server.start()
        log.info("listening", address=self.address, engine=settings.engine.name.value, family=rules.family.value)
        # Bound and answering NOT_SERVING first: a wrong port is told at once, and models may take a while.
        info = await self._worker.start()
        require_models(info, rules.family)
        await self._gallery.load(info)
        self._parts.watch("memory", give_back_what_is_free())
        self._parts.watch("readiness", readiness.watch())
        self._parts.watch("gallery", self._gallery.watch())
        if self._replica is not None:
            self._replica.use_engine(info)
            self._parts.watch("replica", self._replica.watch())
        self._parts.watch("recognisable", RecognisableWatch(lambda: self.gallery, sessions, lookups).watch())
        self._erasures = ErasureWatch(
            self.name,
            sessions,
            self._parts.executor(1, "erasures"),
            outbox=outbox,
            timetable=timetable,
            whereabouts=self._whereabouts,
            gallery=lambda: self.gallery,
            forget=hub.forget,
            state=lambda: state_of(self.address, self.gallery, self._replica, outbox),
            replica=self._replica,
        )
        self._parts.watch("erasures", self._erasures.watch())
        writes = self._parts.executor(1, "health")
        self._parts.watch("health", watch_health(self._health_log, hub.live_cameras, outbox, writes))
        cameras = self._parts.executor(1, "cameras")
        self._parts.watch("cameras", CameraWatch(hub, tokens, sessions, cameras, aiming_address=aiming.address).watch())

    def _start_tracing(self) -> None:
        if self._opens_tracing:
            service = self._settings.service
            endpoint = service.tracing_endpoint
            address = None if endpoint is None else endpoint.get_secret_value()
            self._tracing = open_tracing(address, service.tracing_ratio)
        self._parts.push_async_callback(asyncio.to_thread, self._tracing.close)

    def _choose_models(self) -> tuple[BuildEngine, MatchingRules]:
        """The engine, and what is decided by with its models."""
        matching = self._settings.matching
        if self._build_engine is not None:
            return self._build_engine, matching.rules(self._family)
        models = models_in_use(self._settings)
        log.info("models_chosen", family=models.family.value, why=models.why, note=models.note or None)
        arguments = models.engine_arguments(self._settings.engine)
        return functools.partial(create_engine, **arguments), matching.rules(models.family)

    def _load_liveness(self) -> LivenessModel | None:
        """The model that tells faces from pictures, where the settings name one.

        Raises:
            StartError: it cannot be used.
        """
        matching = self._settings.matching
        if matching.liveness_model is None or matching.presentation is Presentation.OFF:
            return None
        try:
            return LivenessModel(matching.liveness_model)
        except ModelError as error:
            raise StartError(f"matching.liveness_model: {error}") from None

    def _serve_metrics(
        self,
        outbox: Outbox,
        batcher: Batcher[Any, Any],
        hub: StreamHub,
        readiness: Readiness,
        sessions: sessionmaker[Session],
    ) -> None:
        """Open the endpoint; it closes before what it reads from."""
        sources = Sources(
            outbox=outbox,
            engine=lambda: self._worker.info,
            gallery=lambda: self.gallery,
            waiting=lambda: batcher.waiting,
            cameras=lambda: [stream.state for stream in tuple(hub.streams.values())],
            ready=lambda: not readiness.missing(),
            replica=self._replica,
        )
        self._metrics.registry.register(StateCollector(sources))
        self._metrics.registry.register(OutgoingCollector(sessions, self._settings.service.tls_certificate))
        self._parts.enter_context(self._metrics_server)

    def _serve_aiming(self, views: AimingViews, sessions: sessionmaker[Session]) -> AimingServer:
        """Open the aiming view; it closes before what it reads from."""
        service = self._settings.service
        self._parts.push_async_callback(views.close)
        aiming = AimingServer(service.aiming_listen, service.aiming_address, views, sessions)
        aiming.start()
        self._parts.push_async_callback(asyncio.to_thread, aiming.close)
        return aiming

    def _stream_tools(
        self,
        batcher: Batcher[Job, Found],
        flows: ThreadPoolExecutor,
        timetable: Timetable,
        outbox: Outbox,
        rules: MatchingRules,
    ) -> StreamTools:
        service = self._settings.service
        judge = self._judges(rules)
        observers = Observers(outbox, rules.confirm_frames, self._metrics.minute_observed)

        def flow_of(camera: CameraIdentity) -> CameraFlow:
            if camera.room_id is None:
                raise ValueError(f"camera {camera.name} stands in no room")
            observer = observers.of(camera.id, camera.room_id)
            return CameraFlow(
                camera.id,
                camera.room_id,
                timetable,
                lambda: self._gallery.matcher,
                outbox,
                rules,
                observer=observer,
                judge=judge(camera.room_id),
            )

        pipeline = Pipeline(
            batcher,
            self._parts.executor(service.decode_threads, "decode"),
            self._metrics,
            max_bytes=service.max_message_bytes,
            max_pixels=self._settings.engine.max_pixels,
            expected_s=self._worker.expected_s,
            expected_of_faces_s=self._worker.expected_of_faces_s,
            smallest_face=service.smallest_face or rules.smallest_sought,
            crops=self._liveness is not None,
        )
        aiming = AimingViews(
            pipeline,
            self._parts.executor(_AIMING_THREADS, "aiming"),
            rules,
            session_counts=lambda room_id, moment: bool(frame_plan(timetable.plans(room_id, moment), moment)),
            connected=lambda camera_id: camera_id in self._hub.streams,
            max_pixels=self._settings.engine.max_pixels,
        )
        return StreamTools(
            pipeline=pipeline,
            aiming=aiming,
            flow_of=flow_of,
            executor=flows,
            statistics=self._statistics,
            metrics=self._metrics,
            settings=service,
            rules=rules,
            tracing=self._tracing,
            health=self._health_log,
        )

    def _judges(self, rules: MatchingRules) -> Callable[[int], PresentationJudge]:
        """Makes what tells persons from pictures, for a camera in a room; all know who was seen elsewhere."""
        if rules.presentation is Presentation.OFF:
            log.warning("presentation_off", note="photos held before a camera count as persons")
        return functools.partial(PresentationJudge, rules, whereabouts=self._whereabouts, model=self._liveness)

    async def _open_database(self) -> sessionmaker[Session]:
        self._settings.data.directory.mkdir(parents=True, exist_ok=True)
        engine = create_database_engine(self._settings.database_url, pool_size=self._settings.database.pool_size)
        self._parts.callback(engine.dispose)
        await asyncio.to_thread(require_current_schema, engine)
        await asyncio.to_thread(note_settings, engine, "recognition service", self._settings)
        return session_factory(engine, self._settings.attendance)

    def _start_attendance(self, sessions: sessionmaker[Session], outbox: Outbox) -> Timetable:
        measured = sessionmaker(**sessions.kw, class_=Session)  # so that nobody else's transactions are counted
        time_transactions(measured, lambda seconds: self._metrics.stage("commit", seconds))
        committer = Committer(outbox, measured, late_frames=self._settings.attendance.late_frames)
        committer.start()
        flush_s = min(_FLUSH_S, self._settings.service.drain_s)
        self._parts.push_async_callback(asyncio.to_thread, committer.stop, flush=True, timeout=flush_s)
        closer = Closer(sessions, self._settings.service.close_interval_s)
        closer.start()
        self._parts.push_async_callback(asyncio.to_thread, closer.stop)
        timetable = Timetable(sessions, self._settings.service.timetable_refresh_s)
        self._parts.callback(timetable.close)
        return timetable

    def _start_batcher(self) -> Batcher[Job, Found]:
        service = self._settings.service
        batcher = Batcher(
            self._worker.find,
            large=LARGE_S,
            hand_over_s=HAND_OVER_S,
            max_batch=service.max_batch,
            max_delay_s=service.max_delay_ms / 1000,
            max_queue=service.max_queue,
            defers=service.timeout_action is TimeoutAction.DEFER,
            observe=self._metrics.batch,
        )
        batcher.start()

        async def end() -> None:
            try:
                await asyncio.wait_for(batcher.close(), _BATCHES_END_S)
            except TimeoutError:
                log.error("batch_abandoned")

        self._parts.push_async_callback(end)
        return batcher

    async def _drain(self, server: grpc.aio.Server, hub: StreamHub, servicer: RecognitionServicer) -> None:
        log.info("draining", streams=len(hub.streams))
        await self._health.enter_graceful_shutdown()
        hub.drain("the service is stopping")
        servicer.stop_giving()
        stopping = asyncio.create_task(server.stop(self._settings.service.drain_s))
        idle = asyncio.create_task(servicer.wait_idle())
        await asyncio.wait({stopping, idle}, return_when=asyncio.FIRST_COMPLETED)
        idle.cancel()
        # Those who watch the health service would stay for ever: once our calls are over, they get a moment.
        await server.stop(_LAST_WORDS_S)
        await stopping
        await hub.wait_finished()
