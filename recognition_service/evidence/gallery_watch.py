"""The gallery in use: loaded at start, replaced when a new index is published, kept when the new one cannot be used."""

import asyncio
import time
from pathlib import Path

import structlog

from attendance.face_engine.interface import EngineInfo
from attendance.gallery.format import current_version, load_gallery
from attendance.gallery.gallery import Gallery, GalleryError
from attendance.settings.matching import MatchingRules
from recognition_service.errors import UnavailableError
from recognition_service.evidence.matching import Matcher

_RETRY_S = 30.0
"""A refused version is tried again so often: what hindered it may have been the disk and not the index."""

log = structlog.get_logger()


class GalleryWatch:
    """Holds the matcher of the newest usable index. `matcher` may be read from any thread."""

    def __init__(self, folder: Path, rules: MatchingRules, *, interval_s: float = 1.0) -> None:
        """Prepare; `load` reads the first index.

        Args:
            folder: of the published indexes; may not exist yet.
            rules: of the matchers made.
            interval_s: how often the folder is looked at, seconds.
        """
        self._folder = folder
        self._rules = rules
        self._interval_s = interval_s
        self._engine: EngineInfo | None = None
        self._matcher: Matcher | None = None
        self._refused: tuple[str | None, str] | None = None
        self._refused_at = 0.0

    @property
    def matcher(self) -> Matcher:
        """Of the index in use; of an empty gallery while there is none.

        Raises:
            UnavailableError: `load` has not been called yet.
        """
        if self._matcher is None:
            raise UnavailableError("the index is being loaded; try again shortly")
        return self._matcher

    @property
    def gallery(self) -> Gallery | None:
        """The published index in use; None while there is none."""
        matcher = self._matcher
        return matcher.gallery if matcher is not None and matcher.gallery.version else None

    async def load(self, engine: EngineInfo) -> None:
        """Load the current index for an engine; without a usable one begin with an empty gallery, and say so."""
        self._engine = engine
        self._matcher = Matcher(Gallery.empty(engine.model, engine.encoding_size), self._rules)
        await self.refresh()

    async def watch(self) -> None:
        """Look for a newly published index for ever."""
        while True:
            await asyncio.sleep(self._interval_s)
            try:
                await self.refresh()
            except Exception:  # the watch goes on: the index in use is not touched
                log.exception("index_watch_failed")

    async def refresh(self) -> None:
        """Load the current index unless it is the one in use, or one that was refused a moment ago."""
        await asyncio.to_thread(self._refresh)

    def _refresh(self) -> None:
        version: str | None = None
        try:
            version = current_version(self._folder)
            in_use = self.gallery.version if self.gallery else None
            if version is not None and version == in_use:
                self._refused = None
                return
            if self._refused and self._refused[0] == version and time.monotonic() - self._refused_at < _RETRY_S:
                return
            gallery = self._checked(load_gallery(self._folder, model=self._engine.model if self._engine else None))
        except GalleryError as error:
            self._refuse(version, str(error))
            return
        except Exception:  # whatever a version holds, the one in use stays, and one line a version says so
            self._refuse(version, "it cannot be read, for a reason that nobody thought of", traceback=True)
            return
        self._matcher = Matcher(gallery, self._rules)
        self._refused = None
        log.info("index_loaded", version=gallery.version, identities=len(gallery.identities), rows=gallery.encodings)

    def _checked(self, gallery: Gallery) -> Gallery:
        if self._engine is not None and gallery.encoding_size != self._engine.encoding_size:
            raise GalleryError(
                f"index {gallery.version} has encodings of {gallery.encoding_size} numbers, "
                f"but the engine makes {self._engine.encoding_size}"
            )
        return gallery

    def _refuse(self, version: str | None, reason: str, *, traceback: bool = False) -> None:
        self._refused_at = time.monotonic()
        if self._refused != (version, reason):
            in_use = self.gallery.version if self.gallery else "none: every face is a stranger's"
            log.error("index_not_loaded", version=version, reason=reason, in_use=in_use, exc_info=traceback)
        self._refused = (version, reason)
