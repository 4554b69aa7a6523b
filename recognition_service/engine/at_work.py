"""A batch that has been begun: it works in pieces, and others may have a turn between two of them."""

import asyncio
import math
from collections.abc import Callable, Coroutine, Hashable, Mapping, Sequence
from typing import Any, Generic, Protocol, TypeVar

from recognition_service.engine.lanes import Lanes
from recognition_service.engine.places import Clock, Item, Place, Result

Answer_contra = TypeVar("Answer_contra", contravariant=True)


class Pauses(Protocol[Answer_contra]):
    """What the work on a batch has to do between its pieces."""

    async def after_piece(self, spent: Mapping[int, float], answers: Mapping[int, Answer_contra | Exception]) -> None:
        """Say what a piece has cost and answered, and wait until it is the batch's turn again.

        Args:
            spent: for items, by their places in the batch, what the piece has cost; only its proportions to others'
                matter, and that it is the unit of what is expected.
            answers: the results that are known now; they go out at once.
        """


class BatchAtWork(Generic[Item, Result]):
    """A batch between its beginning and its last answer; see `Pauses`."""

    def __init__(
        self,
        bucket: Hashable,
        places: Sequence[Place[Item, Result]],
        tags: Mapping[Place[Item, Result], float],
        lanes: Lanes[Item, Result],
        *,
        clock: Clock,
        piece_over: "Callable[[BatchAtWork[Item, Result]], None]",
    ) -> None:
        """Begin.

        Args:
            bucket: of its items.
            places: of its items.
            tags: where each of them starts.
            lanes: are charged.
            clock: tells how long it works.
            piece_over: called when a piece is over, at once, so that whoever has the next in hand works from then on.
        """
        self.places = places
        self._piece_over = piece_over
        self._task: asyncio.Task[None] | None = None
        self._tags = {place: tags[place] for place in places}
        self._lanes = lanes
        self._clock = clock
        self._left = set(places)
        self._may_go = asyncio.Event()
        self._in_hand = False
        self._worked_s = 0.0
        self.piece_s: float | None = None
        """How long the last piece took, seconds; None: it was not worked on, as nobody waited for it any more."""
        self.working_since: float | None = None
        """Since when it has been at work on a piece; None: it is not."""
        self._bucket = bucket
        self._pieces = 0  # that are over

    @property
    def done(self) -> bool:
        """Whether nothing is left to do."""
        return self._task is not None and self._task.done()

    @property
    def expected(self) -> float:
        """What it was expected to cost."""
        return sum(place.expected for place in self.places)

    @property
    def worked_s(self) -> float:
        """How long it has worked, without the pauses, seconds."""
        return self._worked_s + (0 if self.working_since is None else self._clock.time() - self.working_since)

    @property
    def piece_key(self) -> Hashable:
        """What its next piece, or that at work, has in common with others' that take as much more as was expected."""
        return self._bucket, self._pieces, len(self.places)

    @property
    def turn(self) -> tuple[bool, int, float, float]:
        """Whose turn it is: for places in line and batches at work the same, here of the lane that is least far on."""
        return min(
            (place.deferred, place.lane[0], self._far_on(place), -math.inf) for place in self._left or self.places
        )

    def _far_on(self, place: Place[Item, Result]) -> float:
        """Where the place's lane is: what its items here have cost counts, not what they were expected to."""
        own = [other for other in self.places if other.lane == place.lane]
        return min(self._tags[other] for other in own) + sum(other.spent or 0.0 for other in own)

    def begin_piece(self) -> None:
        """Note that it is at work from now on: whoever does the work was handed its next piece, and has no other."""
        if self.working_since is None:
            self.working_since = self._clock.time()

    def begin(self, work: Coroutine[Any, Any, None]) -> None:
        """Begin the first piece.

        Args:
            work: on the whole batch; it asks for its turn in `after_piece`.
        """
        self._in_hand = True
        self._task = asyncio.create_task(work, name="batch")
        self._task.add_done_callback(self._end_piece)

    def go_on(self) -> None:
        """Let the work do its next piece; when nobody waits for what is left, end it instead."""
        self._in_hand = True
        if all(place.answered for place in self._left):
            self.abandon()
        self._may_go.set()

    def abandon(self) -> None:
        """End the work between two pieces."""
        if self._task is not None:
            self._task.cancel()

    async def after_piece(self, spent: Mapping[int, float], answers: Mapping[int, Result | Exception]) -> None:
        """See `Pauses`."""
        for number, cost in spent.items():
            if self.places[number] in self._left:
                self._lanes.spend(self.places[number], cost)
        for number, answer in answers.items():
            self._answer(self.places[number], answer)
        if self._left:
            self._may_go.clear()
            self._end_piece()
            await self._may_go.wait()

    def finish(self, answers: Sequence[Result | Exception]) -> None:
        """Answer whatever has no answer yet."""
        for place, answer in zip(self.places, answers, strict=True):
            self._answer(place, answer)

    def _answer(self, place: Place[Item, Result], answer: Result | Exception) -> None:
        if place in self._left:
            self._left.remove(place)
            self._lanes.end(place)
            place.finish(answer)

    def _end_piece(self, task: asyncio.Task[None] | None = None) -> None:
        """A piece is over, or all the work."""
        if not self._in_hand:
            return
        before = self._worked_s
        self._worked_s, began, self.working_since = self.worked_s, self.working_since, None
        cut_short = began is None or (task is not None and task.cancelled())
        self.piece_s = None if cut_short else self._worked_s - before
        self._in_hand = False
        self._piece_over(self)
        self._pieces += 1
