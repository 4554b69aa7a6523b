"""How often one address may come with a wrong token, or none."""

import time
from collections import OrderedDict
from collections.abc import Callable
from ipaddress import IPv6Address, IPv6Network

_MINUTE_S = 60.0


class TokenBucket:
    """Lets so many things a second pass on average, and a burst at once."""

    def __init__(self, rate: float, burst: float, clock: Callable[[], float] = time.monotonic) -> None:
        """Begin full.

        Args:
            rate: things a second.
            burst: most at once.
            clock: seconds, never backwards.
        """
        self._rate = rate
        self._burst = burst
        self._clock = clock
        self._left = burst
        self._since = clock()

    @property
    def left(self) -> float:
        """How many may pass now."""
        now = self._clock()
        self._left = min(self._burst, self._left + (now - self._since) * self._rate)
        self._since = now
        return self._left

    def take(self) -> bool:
        """Let one pass, if one may."""
        if self.left < 1:
            return False
        self._left -= 1
        return True


class PeerThrottle:
    """Counts refusals by address. Addresses kept are bounded; the one that was longest quiet is forgotten first."""

    def __init__(
        self, refusals_a_minute: int, *, most_kept: int = 4096, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Prepare.

        Args:
            refusals_a_minute: of one address, until it is blocked; a blocked address gets them back over the minute.
            most_kept: addresses remembered.
            clock: seconds, never backwards.
        """
        self._most = refusals_a_minute
        self._most_kept = most_kept
        self._clock = clock
        self._buckets: OrderedDict[str, TokenBucket] = OrderedDict()

    def count(self, peer: str) -> None:
        """Count a refusal.

        Args:
            peer: as gRPC writes it, e.g. ipv4:192.0.2.1:40000.
        """
        address = _address(peer)
        if address not in self._buckets:
            self._buckets[address] = TokenBucket(self._most / _MINUTE_S, self._most, self._clock)
        self._buckets.move_to_end(address)
        self._buckets[address].take()
        while len(self._buckets) > self._most_kept:
            self._buckets.popitem(last=False)

    def blocked(self, peer: str) -> bool:
        """Whether the address has had its refusals."""
        bucket = self._buckets.get(_address(peer))
        return bucket is not None and bucket.left < 1


def _address(peer: str) -> str:
    """Without the port; of IPv6 the network that one customer gets (64 bits), or else each has 2^64 addresses."""
    kind, _, rest = peer.partition(":")
    host = rest.rpartition(":")[0]
    if kind != "ipv6":
        return host
    host = host.replace("%5B", "").replace("%5D", "").strip("[]")
    try:
        address = IPv6Address(host.partition("%")[0])
    except ValueError:
        return host
    return str(address.ipv4_mapped or IPv6Network((address, 64), strict=False))
