"""The check for presentation attacks: whether the face that was named is a person's, or a picture's.

What was seen of a named face is *clear*, once it was seen in `CLEAR_LOOKS` ways that no movement of one flat picture
explains (see `appearance`), and nothing speaks against it. Until then it *waits*: it confirms nobody. It is *suspect*
when something speaks against it in most of its frames, or when it has waited for `LONGEST_WAIT_S`. What still waits at
the end is suspect, too: a picture that was held up for a moment is neither confirmed nor forgotten.

Only faces that were named and are not clear yet are looked at: somebody who sits in the room costs nothing after the
first seconds. What `python -m benchmarks.presentation` measures is all that is promised.
"""

import hashlib
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from attendance.database.models import HeldReason
from attendance.face_engine.liveness import LivenessModel
from attendance.settings.matching import MatchingRules
from recognition_service.presentation.appearance import UNLIKE, Appearance, difference
from recognition_service.presentation.surroundings import has_border, moves_as_plane
from recognition_service.presentation.views import FaceView

NO_PLANE = 0.035
"""From this difference on, two views are not of one flat picture. Of pictures turned by 23 degrees, 40 pixels wide and
noisy, the largest seen was 0.027; of living faces two seconds apart, fifteen of sixteen are beyond (0.035 to 0.6)."""
CLEAR_LOOKS = 3
"""One more than a hand that passes before a picture makes, or one frame that was blurred."""
_TWICE = 2
"""Two looks are enough where each was seen in so many frames."""
LONGEST_WAIT_S = 60.0
_MOSTLY = 0.5
"""Share of the frames in which something must speak against a face."""
_FEWEST = 3
"""Frames that can say so."""
_UNSURE = 0.5
"""Under it a liveness model takes a face for a picture."""
_SAME_MOMENT_S = 0.001
_ROUNDING = 1e-6
_OFTEN, _SELDOM_S = 40, 2.0
"""After so many frames a face that is not clear yet is looked at once in so many seconds."""
_EACH_BORDER, _FOURTH = 4, 4
"""Borders are looked for in the first frames, and then in one of four."""
_MOST_PICTURES = 32
"""Of one face; who sends more in turn sends a video."""
_MOST = 1024
"""Faces remembered; the one seen longest ago is forgotten first."""


class State(StrEnum):
    """How the check stands with a face."""

    CLEAR = "clear"
    WAITING = "waiting"
    SUSPECT = "suspect"


@dataclass(frozen=True, slots=True)
class FaceVerdict:
    """What the check says of a face now."""

    state: State
    reasons: tuple[HeldReason, ...] = ()
    """Why it is not clear; were it to end now, these would be why it is held."""


CLEAR = FaceVerdict(State.CLEAR)


@dataclass(slots=True)
class _Seen:
    """What was seen of one face."""

    looks: list[Appearance] = field(default_factory=list)
    seen_so: list[int] = field(default_factory=list)
    """In how many frames each look was seen."""
    frames: int = 0
    since: float = 0.0
    times: list[float] = field(default_factory=list)
    first: FaceView | None = None
    last: FaceView | None = None
    pictures_seen: OrderedDict[bytes, NDArray[np.float32]] = field(default_factory=OrderedDict)
    """The encoding of each picture that frames showed, by the digest of its pixels; the oldest is forgotten first."""
    again: int = 0
    """Frames that showed one of these pictures again, whichever."""
    copies: int = 0
    searched: int = 0
    """Frames in which a border was looked for."""
    borders: int = 0
    compared: int = 0
    """Pairs of views of which it could be told whether they moved as a plane."""
    planes: int = 0
    asked: int = 0
    pictures: int = 0
    """Frames that the model took for a picture."""
    clear: bool = False


class PresentationCheck:
    """The check of one camera's faces. Used by one thread at a time."""

    def __init__(self, rules: MatchingRules, model: LivenessModel | None = None) -> None:
        """Begin with nobody.

        Args:
            rules: of the models in use.
            model: looks at faces too, where there is one.
        """
        self._rules = rules
        self._model = model
        self._faces: OrderedDict[Hashable, _Seen] = OrderedDict()
        self.examined = 0
        """Views that were compared with others."""

    def see(
        self,
        face: Hashable,
        time: float,
        view: FaceView | None,
        encoding: NDArray[np.float32],
        enrolled: Callable[[], NDArray[np.float32]],
    ) -> FaceVerdict:
        """Take in one frame of a face that was named.

        Args:
            face: whose face it is taken for, and in what session.
            time: of its capture, seconds.
            view: its pixels; None where there are none, which says nothing for it.
            encoding: of the face.
            enrolled: gives the encodings of whom it was named, shape (n, d).
        """
        seen = self._faces.setdefault(face, _Seen(since=time))
        self._faces.move_to_end(face)
        while len(self._faces) > _MOST:
            self._faces.popitem(last=False)
        if seen.clear:
            return CLEAR
        if self._is_new_moment(seen, time):
            self._examine(seen, view, encoding, enrolled())
        return self._judge(seen, time)

    def forget(self) -> None:
        """Forget every face."""
        self._faces.clear()

    def _is_new_moment(self, seen: _Seen, time: float) -> bool:
        apart = max(self._rules.vote_interval_s, _SAME_MOMENT_S, _SELDOM_S if seen.frames > _OFTEN else 0.0) - _ROUNDING
        if any(abs(time - other) < apart for other in seen.times[-16:]):
            return False
        seen.times.append(time)
        del seen.times[:-16]
        seen.since = min(seen.since, time)
        return True

    def _examine(
        self, seen: _Seen, view: FaceView | None, encoding: NDArray[np.float32], enrolled: NDArray[np.float32]
    ) -> None:
        self.examined += 1
        seen.frames += 1
        if len(enrolled) and np.linalg.norm(enrolled - encoding, axis=1).min() < self._rules.same_picture:
            seen.copies += 1
        if view is None:
            return
        appearance = Appearance(view.patch)
        if not appearance.shows_something:
            return
        before, seen.last = seen.last, view
        seen.first = seen.first or view
        if not self._is_alive(seen):  # one that is and is suspect would be compared with ever more looks
            self._count_look(seen, appearance)
        seen.again += self._was_shown(seen, view, encoding)
        if before is not None:
            self._compare(seen, view)
        if seen.frames <= _EACH_BORDER or seen.frames % _FOURTH == 0:
            seen.searched += 1
            seen.borders += has_border(view)
        if self._model is not None and view.crop is not None:
            seen.asked += 1
            seen.pictures += self._model.live(view.crop) < _UNSURE

    def _was_shown(self, seen: _Seen, view: FaceView, encoding: NDArray[np.float32]) -> bool:
        """Whether a frame showed the same picture before: the last one, or one of several that are sent in turn."""
        digest = hashlib.blake2b(view.patch.tobytes(), digest_size=16).digest()
        known = seen.pictures_seen.pop(digest, None)
        seen.pictures_seen[digest] = encoding
        while len(seen.pictures_seen) > _MOST_PICTURES:
            seen.pictures_seen.popitem(last=False)
        return known is not None and float(np.linalg.norm(encoding - known)) < self._rules.same_encoding

    @staticmethod
    def _count_look(seen: _Seen, appearance: Appearance) -> None:
        """Find which look a view is, or that it is none of those before. Where no map is found, nothing is said."""
        for place, look in enumerate(seen.looks):
            found = difference(look, appearance, enough=NO_PLANE)
            if found < NO_PLANE:
                seen.seen_so[place] += 1
            if found < NO_PLANE or found == UNLIKE:
                return
        mirrored = appearance.mirrored()  # one photo and its mirror image in turn are no two looks
        if any(difference(look, mirrored, enough=NO_PLANE) < NO_PLANE for look in seen.looks):
            return
        seen.looks.append(appearance)
        seen.seen_so.append(1)

    @staticmethod
    def _compare(seen: _Seen, view: FaceView) -> None:
        if seen.first is not None and (plane := moves_as_plane(seen.first, view)) is not None:
            seen.compared += 1
            seen.planes += plane
            if not plane:
                return
            seen.first = view  # the next movement is another piece of evidence

    def _judge(self, seen: _Seen, time: float) -> FaceVerdict:
        against = self._against(seen)
        if against and seen.frames >= max(_FEWEST, self._rules.confirm_frames):
            return FaceVerdict(State.SUSPECT, against)
        if self._is_alive(seen) and not against:
            seen.clear = True
            seen.looks.clear()
            seen.pictures_seen.clear()
            seen.first = seen.last = None
            return CLEAR
        reasons = against or (HeldReason.NO_VARIANCE,)
        waited = time - seen.since >= LONGEST_WAIT_S and len(seen.looks) == 1
        return FaceVerdict(State.SUSPECT if waited else State.WAITING, reasons)

    @staticmethod
    def _is_alive(seen: _Seen) -> bool:
        """Whether a face was seen in more ways than a picture has."""
        often = sum(count >= _TWICE for count in seen.seen_so)
        return len(seen.looks) >= CLEAR_LOOKS or often >= _TWICE

    @staticmethod
    def _against(seen: _Seen) -> tuple[HeldReason, ...]:
        """What speaks against a face in most of its frames."""
        found = {
            HeldReason.COPY_OF_PHOTO: seen.copies > _MOSTLY * seen.frames,
            HeldReason.SAME_PICTURE: seen.again > _MOSTLY * (seen.frames - 1) and seen.again > 0,
            HeldReason.PLANE: seen.planes >= _TWICE and seen.planes > _MOSTLY * seen.compared,
            HeldReason.SCREEN: seen.borders > _MOSTLY * seen.searched,
            HeldReason.LIVENESS_MODEL: seen.asked >= _FEWEST and seen.pictures > _MOSTLY * seen.asked,
        }
        return tuple(reason for reason in HeldReason if found.get(reason, False))
