"""A run put together from an installation's settings: engine, index, timetable, outbox, runner."""

import functools
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import sqlalchemy as sa

from attendance.database.engine import session_factory
from attendance.database.register import close_ended_sessions
from attendance.face_engine.interface import EngineInfo
from attendance.gallery.format import GalleryError, current_version
from attendance.models_in_use import ModelsInUse, models_in_use, require_models
from attendance.settings import Settings
from attendance.settings.logs import configure_logging
from attendance.settings.matching import MatchingRules, Presentation
from operations.recordings.authority import RecorderToken, token_of
from operations.recordings.following import FollowJob
from operations.recordings.journal import FILE, Journal
from operations.recordings.looking import EngineMaker, Lens
from operations.recordings.running import RecordingsRun, RunTools
from operations.recordings.sittings import Sitting, sittings_of
from operations.recordings.versions import admission_of
from operations.recordings.videos import LeftOutVideo, Video
from operations.runners.choosing import runner_of
from recognition_service.engine.work import BuildEngine
from recognition_service.outbox.committer import Committer
from recognition_service.outbox.store import Outbox

_FLUSH_S = 60.0


@dataclass(frozen=True, slots=True)
class AskedSitting:
    """What an operator asks for."""

    on: str
    """Where it runs."""
    rate: float
    again: bool = False


@dataclass(frozen=True, slots=True)
class Engine:
    """The engine of a run, as every process of it makes its own."""

    build: BuildEngine
    info: EngineInfo
    rules: MatchingRules


def maker_of(models: ModelsInUse, settings: Settings) -> EngineMaker:
    """Makes the engine of a run: each process has one of its own, and one processor for it."""
    arguments = models.engine_arguments(settings.engine.model_copy(update={"threads": 1}))
    return EngineMaker(tuple(sorted(arguments.items())))


def engine_of_settings(settings: Settings) -> Engine:
    """The engine that the settings and the gallery ask for.

    Raises:
        EngineError: it cannot be made.
        FamilyError: what is set does not go together.
    """
    models = models_in_use(settings)
    build = maker_of(models, settings)
    with closing(build()) as engine:
        info = engine.info
    require_models(info, models.family)
    return Engine(build, info, settings.matching.rules(models.family))


class Bulk:
    """One run over recordings of an installation."""

    def __init__(self, settings: Settings, database: sa.Engine, asked: AskedSitting, engine: Engine) -> None:
        """Get ready; nothing is opened yet.

        Raises:
            RecorderError: nobody answers for the recordings.
            GalleryError: there is no index.
        """
        self._settings = settings
        self._asked = asked
        self._engine = engine
        self._sessions = session_factory(database, settings.attendance)
        self._recorder = RecorderToken(self._sessions, token_of(settings.recordings))
        self.answers = self._recorder.name()
        """The name of the token of whoever answers for it."""
        self._index()

    @contextmanager
    def prepared(
        self, videos: Sequence[Video], left: Sequence[LeftOutVideo], tell: Callable[[str], None]
    ) -> Iterator[tuple[RecordingsRun, str]]:
        """The run, and where it runs, for as long as the block lasts.

        Args:
            videos: to be looked at.
            left: what was left out before.
            tell: told in a sentence what an operator should know meanwhile.
        """
        settings = self._settings
        engine, index_path = self._engine, settings.index_path.absolute()
        with (
            closing(Journal(settings.recordings_path / FILE)) as journal,
            closing(Outbox(settings.recordings_outbox_path)) as outbox,
            self._delivering(outbox),
            closing(
                runner_of(
                    self._asked.on,
                    lambda: admission_of(engine.build, engine.info, index_path, self._index, tell),
                    processes=settings.recordings.processes,
                    preload=["operations.recordings.following"],
                    prepare=functools.partial(configure_logging, settings.log),
                )
            ) as runner,
        ):
            tools = RunTools(
                runner=runner,
                journal=journal,
                outbox=outbox,
                sittings=self._sittings,
                lens_of=self._lens,
                follow_job=self._follow_job,
                authorised=self._recorder.check,
                stretch_s=settings.recordings.stretch_s,
                settle_s=settings.recordings.settle_s,
                again=self._asked.again,
            )
            yield RecordingsRun(tools, videos, left), runner.where

    def undelivered(self) -> int:
        """What waits in the outbox for the database; afterwards, sessions that have ended are closed."""
        with closing(Outbox(self._settings.recordings_outbox_path)) as outbox:
            waiting = outbox.depth() + outbox.depth_observed()
        if not waiting:
            close_ended_sessions(self._sessions, datetime.now(UTC))
        return waiting

    @contextmanager
    def _delivering(self, outbox: Outbox) -> Iterator[None]:
        committer = Committer(outbox, self._sessions, late_frames=self._settings.attendance.late_frames)
        committer.start()
        try:
            yield
        finally:
            committer.stop(flush=True, timeout=_FLUSH_S)

    def _sittings(self, video: Video, digest: str, length_s: float) -> list[Sitting]:
        with self._sessions() as db:
            return sittings_of(db, video, digest, length_s)

    def _lens(self, video: Video) -> Lens:
        settings, rules = self._settings, self._engine.rules
        return Lens(
            build=self._engine.build,
            rate=self._asked.rate,
            upsample=video.camera.upsample,
            smallest_face=video.camera.smallest_face or settings.service.smallest_face or rules.smallest_sought,
            zones=video.camera.zones,
            max_pixels=settings.engine.max_pixels,
            skip_unchanged_s=settings.service.skip_unchanged_s,
            views=rules.presentation is Presentation.HOLD,
            crops=self._liveness is not None,
        )

    @property
    def _liveness(self) -> Path | None:
        matching = self._settings.matching
        return matching.liveness_model if matching.presentation is Presentation.HOLD else None

    def _follow_job(self, video: Video, sitting: Sitting, first_stretch: int) -> FollowJob:
        index = self._index()
        return FollowJob(
            key=f"{sitting.key} {index} {self._asked.rate}",
            camera_id=video.camera.id,
            room_id=video.camera.room_id,
            plans=sitting.plans,
            first_stretch=first_stretch,
            rules=self._engine.rules,
            index_path=self._settings.index_path.absolute(),
            index_version=index,
            model=self._engine.info.model,
            liveness_model=self._liveness,
        )

    def _index(self) -> str:
        version = current_version(self._settings.index_path)
        if version is None:
            raise GalleryError(f"there is no index in {self._settings.index_path}: run `attendance index build`")
        return version
