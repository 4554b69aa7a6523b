"""A machine whose clocks tests move: time passes, the wall clock is set, the machine starts again."""

from datetime import UTC, datetime, timedelta

from camera_client.clock import CameraClock, MachineClock

RIGHT = datetime(2026, 3, 2, 8, tzinfo=UTC)


class OtherClock(MachineClock):
    """Starts at `RIGHT`, with a wall clock that is wrong by `wrong_s`."""

    def __init__(self, *, wrong_s: float = 0.0, server: bool = False) -> None:
        self.start = "a1"
        self.elapsed_s = 0.0
        self.wrong_s = wrong_s
        self.server = server
        self._started_at_s = -100.0

    @property
    def right(self) -> datetime:
        """What time it is."""
        return RIGHT + timedelta(seconds=self.elapsed_s)

    def passes(self, seconds: float) -> None:
        self.elapsed_s += seconds

    def restart(self, *, off_s: float = 0.0, wrong_s: float | None = None) -> None:
        """Start the machine again, which was off for a while; its wall clock may be wrong then."""
        self.elapsed_s += off_s
        self._started_at_s = self.elapsed_s - 20  # the camera's program comes up after that
        self.start = f"b{len(self.start)}" + self.start
        self.wrong_s = self.wrong_s if wrong_s is None else wrong_s
        self.server = False

    def uptime_us(self) -> int:
        return round(1e6 * (self.elapsed_s - self._started_at_s))

    def now(self) -> datetime:
        return self.right + timedelta(seconds=self.wrong_s)

    def synchronised(self) -> bool:
        return self.server


def camera_clock(machine: OtherClock, *, compared: bool = False) -> CameraClock:
    """The clock of a camera on a machine; one that a service has told the right time."""
    clock = CameraClock(machine)
    if compared:
        clock.compare(machine.right)
    return clock
