"""Keeping this machine's index in step with that of the machine that holds the store."""

import asyncio
import time
from collections.abc import Callable
from contextlib import aclosing
from datetime import UTC, datetime
from pathlib import Path

import structlog

from attendance.face_engine.interface import EngineInfo
from attendance.gallery.files import locked_if_free
from attendance.gallery.format import GalleryError, current_version, versions_with
from attendance.gallery.incoming import IncomingIndex, IndexRefusedError
from attendance.gallery.manifest import Manifest
from attendance.gallery.offering import Chunk, Offer
from attendance.private_files import make_private_folder
from attendance.settings import Settings
from attendance.settings.families import family_of
from attendance.settings.model import ModelsName
from recognition_service.replication.sources import IndexSource, SourceAwayError, source_of

_TURN = ".fetching.lock"
"""Held by the service of a machine that fetches; the others of that machine find its index in the folder."""
_FIRST_S = 20.0
"""How long a start waits for the source, where there is no index yet."""
_FIRST_WITH_ONE_S = 5.0
"""The same where there is one."""

log = structlog.get_logger()


def replica_of(settings: Settings, fetched: Callable[[str, int], None]) -> "IndexReplica | None":
    """What fetches the index, as the settings say; None: it is built on this machine."""
    if not settings.replica.on:
        return None
    wanted = settings.engine.models

    def unwanted(manifest: Manifest) -> str | None:
        family = family_of(manifest.model)
        if wanted is ModelsName.AUTO or family.value == wanted.value:
            return None
        return f"it is of family {family}, but ATTENDANCE_ENGINE_MODELS is {wanted}"

    return IndexReplica(
        settings.index_path,
        source_of(settings.replica),
        interval_s=settings.replica.interval_s,
        unwanted=unwanted,
        fetched=fetched,
    )


class IndexReplica:
    """Fetches what is published elsewhere into this machine's folder of indexes; `GalleryWatch` loads it from there."""

    def __init__(
        self,
        folder: Path,
        source: IndexSource,
        *,
        interval_s: float,
        unwanted: Callable[[Manifest], str | None] = lambda _: None,
        fetched: Callable[[str, int], None] = lambda _outcome, _bytes: None,
    ) -> None:
        """Prepare.

        Args:
            folder: of this machine's published indexes; no other program may publish there.
            source: where they come from.
            interval_s: from one question to the next, seconds.
            unwanted: given a manifest, why the settings do not allow such an index; None: they do.
            fetched: told of every question: "unchanged", "fetched", "refused" or "failed", and of the bytes that came.
        """
        self._folder = folder
        self._source = source
        self._interval_s = interval_s
        self._unwanted = unwanted
        self._fetched = fetched
        self._first: asyncio.Task[None] | None = None
        self._engine: EngineInfo | None = None
        self._in_step_since = float("-inf")
        self._in_step_at: datetime | None = None
        self._problem: str | None = None

    @property
    def source_name(self) -> str:
        """Where the index comes from, for people."""
        return self._source.name

    @property
    def problem(self) -> str | None:
        """Why the last question led to nothing; None when all is well."""
        return self._problem

    @property
    def in_step_at(self) -> datetime | None:
        """When the index here was last that of the source, UTC; None: never since the start."""
        return self._in_step_at

    def has_erased(self, student: str, since: float) -> bool:
        """Whether nothing on this machine's disk holds a student, and will not until the next enrolment.

        Args:
            student: the index number.
            since: `time.monotonic()` of a moment at which the source held the student no more. What was asked for
                before may bring an index of before.

        Raises:
            GalleryError: the folder cannot be read.
        """
        return self._in_step_since > since and not versions_with(self._folder, student)

    def use_engine(self, engine: EngineInfo) -> None:
        """From now on take only what this engine's encodings can be compared with."""
        self._engine = engine

    async def begin(self) -> None:
        """Ask once at the start, and wait a while: which models are loaded depends on the index."""
        self._first = asyncio.create_task(self.refresh())
        patience = _FIRST_S if self._version_here() == "" else _FIRST_WITH_ONE_S
        await asyncio.wait({self._first}, timeout=patience)
        if not self._first.done():
            log.warning("index_still_to_come", source=self._source.name, waited_s=patience)

    async def close(self) -> None:
        """Give up the first question, where it is still open."""
        if self._first is not None:
            self._first.cancel()
            await asyncio.gather(self._first, return_exceptions=True)

    async def watch(self) -> None:
        """Ask for ever."""
        if self._first is not None:
            await self._first
        while True:
            await asyncio.sleep(self._interval_s)
            await self.refresh()

    async def refresh(self) -> None:
        """Ask once, and take what is new. Whatever goes wrong, the index in use stays."""
        asked = time.monotonic()
        try:
            make_private_folder(self._folder)
            with locked_if_free(self._folder / _TURN) as mine:
                if not mine:
                    return
                outcome, received = await self._fetch(await asyncio.to_thread(IncomingIndex, self._folder))
        except IndexRefusedError as error:
            self._tell("refused", str(error))
        except (SourceAwayError, GalleryError) as error:
            self._tell("failed", str(error))
        except OSError as error:
            self._tell("failed", f"cannot write {error.filename or self._folder}: {error.strerror}")
        except Exception:  # the next question must still come
            log.exception("index_fetch_failed", source=self._source.name)
            self._tell("failed", "for a reason that nobody thought of; the log says which")
        else:
            self._in_step_since, self._in_step_at = asked, datetime.now(UTC)
            if self._problem is not None:
                log.info("index_source_is_back", source=self._source.name)
            self._problem = None
            self._fetched(outcome, received)

    async def _fetch(self, incoming: IncomingIndex) -> tuple[str, int]:
        """One question; "unchanged" or "fetched", and how many bytes came."""
        have = await asyncio.to_thread(self._version_here)
        partial = await asyncio.to_thread(lambda: incoming.partial)
        received, offer = 0, None
        async with aclosing(self._source.fetch(have, partial)) as parts:
            async for part in parts:
                if isinstance(part, Offer) and offer is None:
                    offer = part
                    if not await asyncio.to_thread(incoming.begin, offer, usable=self._problem_with):
                        return "unchanged", 0
                elif isinstance(part, Chunk) and offer is not None:
                    await asyncio.to_thread(incoming.take, offer, part)
                    received += len(part.data)
                else:
                    raise SourceAwayError(f"{self._source.name} speaks another language than this release")
        if offer is None:
            raise SourceAwayError(f"{self._source.name} offers no index")
        await asyncio.to_thread(incoming.finish, offer)
        log.info("index_fetched", version=offer.version, bytes=received, source=self._source.name)
        return "fetched", received

    def _version_here(self) -> str:
        try:
            return current_version(self._folder) or ""
        except GalleryError:
            return ""  # damaged: mended by what comes

    def _problem_with(self, manifest: Manifest) -> str | None:
        """Why an index cannot be used here; before there is an engine, and for the first index, any can."""
        unwanted = self._unwanted(manifest)
        if unwanted is not None or self._engine is None or self._version_here() == "":
            return unwanted
        if (manifest.model, manifest.encoding_size) == (self._engine.model, self._engine.encoding_size):
            return None
        family = f"of family {manifest.family}, " if manifest.family else ""
        return (
            f"it is {family}made with the model {manifest.model}, but the engine at work uses {self._engine.model}. If "
            "the gallery was converted, start this service again"
        )

    def _tell(self, outcome: str, problem: str) -> None:
        if problem != self._problem:
            log.error("index_not_fetched", source=self._source.name, reason=problem)
        self._problem = problem
        self._fetched(outcome, 0)
