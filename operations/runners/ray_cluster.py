"""A runner on the machines of a Ray cluster (https://docs.ray.io, 2.60).

Which machine does what is decided here, not by Ray: a machine gets no more than it has processors for, and one that
comes, or comes back, is asked first what it runs with; what differs is refused by name. So is a cluster without token
authentication, where whoever reaches a port runs code, and one of several machines without TLS.

Ray's own retries are off. What is lost with a machine is told as lost, and begun again by whoever knows what that
means.
"""

import itertools
import time
from collections.abc import Callable, Hashable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from attendance.errors import AttendanceError
from operations.runners.interface import (
    KeptLostError,
    NotBegunError,
    RunnerError,
    Seat,
    Task,
    TaskLostError,
    Work,
    WorkFailedError,
)
from operations.runners.local import told_error
from operations.runners.ray_connection import Away, answers, connected, require_tls

_LOOK_S = 2.0
"""How often it is asked which machines there are."""
_HEAD_S = 20.0
"""How long the head may be silent; after a minute Ray ends the whole program."""
_ASK_AGAIN_S = 30.0
"""How long a machine that was refused for what may pass is let alone."""
_PROBE_S = 120.0
"""How long a machine may take to say what it runs with: it loads the models."""


@dataclass(slots=True)
class _Machine:
    node: str
    name: str
    """Its address, for people."""
    slots: int
    at_work: int = 0
    probe: Any = None
    admitted: bool = False
    joined: bool = False
    """It was admitted once."""
    ask_at: float | None = None
    """When it is asked again, if it is still there: it did not begin its work, or was refused for what may pass."""
    refusal: "Refusal | None" = None


@dataclass(slots=True)
class _Begun:
    refs: tuple[Any, ...]
    machine: _Machine
    takes_slot: bool
    """Not so the call of a seat."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a machine may not be used."""

    why: str
    passes: bool = False
    """Whether it may be over soon; the machine is asked again now and then."""


@dataclass(frozen=True, slots=True)
class Admission:
    """What a machine is asked before it is given work."""

    work: Work
    argument: Any
    judge: Callable[[Any], Refusal | None]
    """Given what it told, why it may not be used; None: it may."""
    tell: Callable[[str], None]
    """Told in a sentence which machine is not used and why, which is gone, and which joins later."""


@dataclass(slots=True)
class _State:
    machines: dict[str, _Machine] = field(default_factory=dict)
    tasks: dict[int, _Begun] = field(default_factory=dict)
    seats: dict[Hashable, tuple[Any, _Machine]] = field(default_factory=dict)
    ended: set[int] = field(default_factory=set)
    fresh: list[int] = field(default_factory=list)
    outcomes: dict[int, Any] = field(default_factory=dict)
    looked_at: float = 0.0
    heard_at: float = 0.0
    """When the head last answered."""
    usable_at: float = 0.0
    """When there last was a machine that may work; 0 while those that are there at the beginning are asked."""


class RayRunner:
    """See `operations.runners.interface.Runner`."""

    def __init__(self, address: str, admission: Admission) -> None:
        """Connect, and ask every machine what it runs with.

        Args:
            address: "ray://HOST:PORT" of a Ray client server, or "HOST:PORT" of the head, on a machine of the cluster.
            admission: who may work.

        Raises:
            RunnerError: Ray is not installed here, the cluster cannot be reached or is open to everybody, or no machine
                of it may be used.
        """
        self._ray = connected(address)
        self._address = address
        self._admission = admission
        self._numbers = itertools.count()
        self._state = _State()
        self._lost = False
        self._do = self._ray.remote(_do)
        self._seat = self._ray.remote(_Seat)
        try:
            self._wait_for_machines()
        except BaseException:
            self.close()
            raise

    @property
    def slots(self) -> int:
        """See `Runner.slots`."""
        return sum(machine.slots for machine in self._usable())

    @property
    def where(self) -> str:
        """See `Runner.where`."""
        machines = self._usable()
        return f"{self.slots} processors of {len(machines)} machines ({', '.join(one.name for one in machines)})"

    def begin(self, work: Work, argument: Any) -> Task:
        """See `Runner.begin`."""
        machine = self._freest()
        machine.at_work += 1
        refs = self._on(self._do, machine, num_cpus=1, num_returns=2, max_retries=0).remote(work, argument)
        return self._keep(_Begun(tuple(refs), machine, takes_slot=True))

    def sit(self, make: Callable[[Any], Any], argument: Any) -> Seat:
        """See `Runner.sit`."""
        seat = f"seat {next(self._numbers)}"
        machine = self._freest()
        remote = self._on(self._seat, machine, num_cpus=0, max_restarts=0, max_task_retries=0)
        self._state.seats[seat] = remote.remote(make, argument), machine
        return seat

    def call(self, seat: Seat, method: str, *, takes: Task | None = None) -> Task:
        """See `Runner.call`."""
        given = () if takes is None else (self._state.tasks[takes].refs[1],)  # type: ignore[index]  # our own number
        actor, machine = self._state.seats[seat]
        return self._keep(_Begun((actor.call.remote(method, *given),), machine, takes_slot=False))

    def leave(self, seat: Seat) -> None:
        """See `Runner.leave`."""
        actor, _ = self._state.seats.pop(seat, (None, None))
        if actor is not None:
            with suppress(Exception):
                self._ray.kill(actor)

    def ended(self, timeout_s: float) -> Sequence[Task]:
        """See `Runner.ended`."""
        self._look_around()
        if not self._state.fresh:
            self._wait(timeout_s)
        fresh, self._state.fresh = self._state.fresh, []
        return fresh

    def told(self, task: Task) -> Any:
        """See `Runner.told`."""
        outcome = self._state.outcomes[task]  # type: ignore[index]
        if isinstance(outcome, AttendanceError):
            raise outcome
        return outcome

    def forget(self, task: Task) -> None:
        """See `Runner.forget`."""
        self._state.tasks.pop(task, None)  # type: ignore[call-overload]
        self._state.outcomes.pop(task, None)  # type: ignore[call-overload]
        self._state.ended.discard(task)

    def close(self) -> None:
        """See `Runner.close`."""
        if self._lost:  # each of these would wait for the head; the machines give up what is at work by themselves
            return
        for seat in list(self._state.seats):
            self.leave(seat)
        for begun in self._state.tasks.values():
            with suppress(Exception):
                self._ray.cancel(begun.refs[0], force=True)
        self._state = _State()
        with suppress(Exception):
            self._ray.shutdown()

    def _keep(self, begun: _Begun) -> int:
        number = next(self._numbers)
        self._state.tasks[number] = begun
        return number

    def _on(self, remote: Any, machine: _Machine, **options: Any) -> Any:
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy  # noqa: PLC0415 - an extra

        return remote.options(scheduling_strategy=NodeAffinitySchedulingStrategy(machine.node, soft=False), **options)

    def _usable(self) -> list[_Machine]:
        return [machine for machine in self._state.machines.values() if machine.admitted]

    def _freest(self) -> _Machine:
        usable = self._usable()
        if not usable:
            raise RunnerError(f"no machine of the cluster {self._address} can be used any more")
        return max(usable, key=lambda machine: (machine.slots - machine.at_work) / machine.slots)

    def _wait(self, timeout_s: float) -> None:
        waiting = {
            begun.refs[0]: number for number, begun in self._state.tasks.items() if number not in self._state.ended
        }
        if not waiting:
            time.sleep(min(timeout_s, 0.2))
            return
        with self._away():
            self._ray.wait(list(waiting), num_returns=1, timeout=timeout_s)
            done, _ = self._ray.wait(list(waiting), num_returns=len(waiting), timeout=0)
        for ref in done:
            number = waiting[ref]
            begun = self._state.tasks[number]
            outcome = self._state.outcomes[number] = self._outcome(ref)
            self._state.ended.add(number)
            self._state.fresh.append(number)
            begun.machine.at_work -= begun.takes_slot
            if isinstance(outcome, TaskLostError) and not isinstance(outcome, KeptLostError):
                # Else it would be the freest of all, and be given everything before it is known to be gone.
                begun.machine.admitted, begun.machine.ask_at = False, 0.0
                self._state.looked_at = 0.0

    def _outcome(self, ref: Any) -> Any:
        """What a task told, or its error."""
        errors = self._ray.exceptions
        try:
            _, value = self._ray.get(ref)
        except errors.RayTaskError as error:
            cause = getattr(error, "cause", None)
            if isinstance(cause, errors.RayError):  # what it was to take is gone
                return KeptLostError(f"what was made on another machine is gone ({type(cause).__name__})")
            return WorkFailedError(str(error))
        except (errors.TaskUnschedulableError, errors.ActorUnschedulableError, errors.NodeDiedError) as error:
            return NotBegunError(f"the machine is gone ({type(error).__name__})")
        except errors.RayError as error:
            return TaskLostError(f"the machine or the process ended ({type(error).__name__})")
        except ConnectionError as error:
            raise RunnerError(f"the cluster {self._address} does not answer any more: {error}") from None
        return value

    def _wait_for_machines(self) -> None:
        until = time.monotonic() + _PROBE_S
        self._look_around()
        while (silent := self._asked()) and time.monotonic() < until:
            self._look_around(wait_s=0.5)
        if not self._usable():
            refused = [(one.name, one.refusal.why) for one in self._state.machines.values() if one.refusal]
            why = [f"{name}: {one}" for name, one in (*refused, *((one.name, "it does not answer") for one in silent))]
            raise RunnerError(
                f"no machine of the cluster {self._address} can be used. "
                + ("; ".join(why) or "It has none with a processor for it")
            )
        self._state.usable_at = time.monotonic()

    def _asked(self) -> list[_Machine]:
        return [machine for machine in self._state.machines.values() if machine.probe is not None]

    def _look_around(self, *, wait_s: float = 0.0) -> None:
        """Notice machines that came and went, and hear what those that were asked run with."""
        state = self._state
        now = time.monotonic()
        if now - state.looked_at >= _LOOK_S or not state.machines:
            state.looked_at = now
            self._count_machines()
        probes = {machine.probe: machine for machine in self._asked()}
        if not probes:
            return
        with self._away():
            done, _ = self._ray.wait(list(probes), num_returns=len(probes), timeout=wait_s)
        for ref in done:
            machine = probes[ref]
            machine.probe = None
            told = self._outcome(ref)
            if isinstance(told, NotBegunError):  # it was gone before it answered
                continue
            refusal = Refusal(str(told)) if isinstance(told, AttendanceError) else self._admission.judge(told)
            if refusal is None:
                self._admit(machine)
            else:
                self._refuse(machine, refusal)

    def _admit(self, machine: _Machine) -> None:
        if machine.refusal is not None or (self._state.usable_at and not machine.joined):
            self._admission.tell(f"machine joined: {machine.name}")
        machine.refusal = None
        machine.admitted = machine.joined = True

    def _refuse(self, machine: _Machine, refusal: Refusal) -> None:
        known = machine.refusal is not None and machine.refusal.passes and refusal.passes
        machine.refusal = refusal
        if refusal.passes:
            machine.ask_at = time.monotonic() + _ASK_AGAIN_S
        if not known:  # else it would be told at each asking
            self._admission.tell(f"machine not used: {machine.name}: {refusal.why}")

    def _count_machines(self) -> None:
        state = self._state
        if state.usable_at and self._usable():
            state.usable_at = time.monotonic()
        elif state.usable_at and time.monotonic() - state.usable_at > _PROBE_S:
            raise RunnerError(f"no machine of the cluster {self._address} can be used any more")
        if not self._head_answers():
            return
        with self._away():
            alive = {node["NodeID"]: node for node in self._ray.nodes() if node["Alive"]}
        require_tls(self._address, [node["NodeManagerAddress"] for node in alive.values()])
        machines = self._state.machines
        for node_id in machines.keys() - alive.keys():
            gone = machines.pop(node_id)
            if gone.joined:
                self._admission.tell(f"machine gone: {gone.name}")
        for node_id in alive.keys() - machines.keys():
            slots = int(alive[node_id]["Resources"].get("CPU", 0))
            if slots < 1:
                continue  # a head that does no work
            machine = _Machine(node_id, alive[node_id]["NodeManagerAddress"], slots)
            machines[node_id] = machine
            self._probe(machine)
        for machine in machines.values():
            if machine.ask_at is not None and machine.ask_at <= time.monotonic():
                self._probe(machine)

    def _head_answers(self) -> bool:
        """Whether the head does; asking Ray would wait for it.

        Raises:
            RunnerError: it has not for long.
        """
        state = self._state
        if answers(self._address):
            state.heard_at = time.monotonic()
            return True
        if time.monotonic() - state.heard_at > _HEAD_S:
            self._lost = True
            raise RunnerError(f"the head of the cluster {self._address} does not answer any more")
        return False

    def _probe(self, machine: _Machine) -> None:
        """Ask a machine what it runs with."""
        machine.ask_at = None
        task = self._on(self._do, machine, num_cpus=1, num_returns=2, max_retries=0)
        machine.probe = task.remote(self._admission.work, self._admission.argument)[0]

    def _away(self) -> Away:
        return Away(self._address)


def _do(work: Work, argument: Any) -> tuple[Any, Any]:
    """On a machine of the cluster: what is told, ours to read, and what is kept."""
    try:
        told, kept = work(argument)
    except Exception as error:
        return ("error", told_error(error)), None
    return ("told", told), kept


class _Seat:
    """On a machine of the cluster: an object, and what went wrong when it was made."""

    def __init__(self, make: Callable[[Any], Any], argument: Any) -> None:
        self._made: Any = None
        self._error: AttendanceError | None = None
        try:
            self._made = make(argument)
        except Exception as error:
            self._error = told_error(error)

    def call(self, method: str, *kept: Any) -> tuple[str, Any]:
        if self._error is not None:
            return "error", self._error
        try:
            return "told", getattr(self._made, method)(*kept)
        except Exception as error:
            return "error", told_error(error)
