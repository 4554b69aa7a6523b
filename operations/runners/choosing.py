"""Which runner an operator asks for: `local`, `local:4`, `ray://HOST:PORT`, `ray:HOST:PORT`."""

import re
from collections.abc import Callable, Sequence

from operations.runners.interface import Runner, RunnerError
from operations.runners.local import LocalRunner
from operations.runners.ray_cluster import Admission, RayRunner

_LOCAL = re.compile(r"local(?::(?P<processes>[1-9]\d{0,3}))?")
_RAY = re.compile(r"(?P<client>ray://)[^/\s]+:(?P<client_port>\d{1,5})|ray:(?P<head>[^/\s]+:(?P<head_port>\d{1,5}))")
_LAST_PORT = 65_535


def runner_of(
    text: str,
    admission: Callable[[], Admission],
    *,
    processes: int = 0,
    preload: Sequence[str] = (),
    prepare: Callable[[], None] | None = None,
) -> Runner:
    """The runner that a text names.

    Args:
        text: `local`, with the number of processes where it is not the setting's; `ray://HOST:PORT`, the address of a
            Ray client server, whatever machine this is; `ray:HOST:PORT`, the head's address, on a machine of the
            cluster.
        admission: of a cluster's machines.
        processes: of this machine; 0: one a core.
        preload: modules that they need, imported once.
        prepare: done first in each of them; can be pickled.

    Raises:
        RunnerError: it names none, or the cluster cannot be used.
    """
    place = _read(text)
    if place.re is _LOCAL:
        return LocalRunner(int(place["processes"] or processes), preload=preload, prepare=prepare)
    return RayRunner(text if place["client"] else place["head"], admission())


def require_place(text: str) -> None:
    """See whether a text names a runner; none is made.

    Raises:
        RunnerError: it names none.
    """
    _read(text)


def _read(text: str) -> re.Match[str]:
    if (local := _LOCAL.fullmatch(text)) is not None:
        return local
    ray = _RAY.fullmatch(text)
    if ray is None or not 0 < int(ray["client_port"] or ray["head_port"]) <= _LAST_PORT:
        raise RunnerError(f"{text!r} is no place to run: local, local:4, ray://HOST:10001 or ray:HOST:6379")
    return ray
