"""A batch that has been begun: it works in pieces, and others may have a turn between two of them."""

import asyncio
import math
from collections.abc import Hashable, Mapping, Sequence
from typing import Generic, Protocol, TypeVar

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
        clock: Clock,
    ) -> None:
        """Begin.

        Args:
            bucket: of its items.
            places: of its items.
            tags: where each of them starts.
            lanes: are charged.
            clock: tells how long it works.
        """
        self.places = places
        self.task: asyncio.Task[None] | None = None
        """Does the work."""
        self._tags = {place: tags[place] for place in places}
        self._lanes = lanes
        self._clock = clock
        self._left = set(places)
        self._may_go = asyncio.Event()
        self._piece: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._begun = False
        self._worked_s = 0.0
        self.working_since: float | None = None
        """Since when it has been at work on a piece; None: it is not."""
        self._bucket = bucket
        self._pieces = 0

    @property
    def done(self) -> bool:
        """Whether nothing is left to do."""
        return self.task is not None and self.task.done()

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
        """What its next piece, or that at work, has in common with those of other batches that take about as long."""
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

    async def do_next_piece(self) -> float:
        """Let the task do a piece; when nobody waits for what is left, end it instead.

        Returns:
            How long it took from `begin_piece` on, seconds.
        """
        if self.task is None:
            raise RuntimeError("a batch without work")
        if self._begun and all(place.answered for place in self._left):
            self.task.cancel()
        self._piece = asyncio.get_running_loop().create_future()
        self.task.add_done_callback(self._end_piece)
        before = self._worked_s
        self._begun = True
        self._may_go.set()
        try:
            await self._piece
        finally:
            self.task.remove_done_callback(self._end_piece)
        self._pieces += 1
        return self._worked_s - before

    def abandon(self) -> None:
        """End the work between two pieces."""
        if self.task is not None:
            self.task.cancel()

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

    def _end_piece(self, _task: object = None) -> None:
        self._worked_s, self.working_since = self.worked_s, None
        if not self._piece.done():
            self._piece.set_result(None)
