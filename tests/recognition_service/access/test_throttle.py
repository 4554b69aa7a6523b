from recognition_service.access.throttle import PeerThrottle, TokenBucket


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_a_bucket_lets_a_burst_pass_and_then_its_rate() -> None:
    clock = Clock()
    bucket = TokenBucket(rate=2, burst=3, clock=clock)
    assert [bucket.take() for _ in range(4)] == [True, True, True, False]
    clock.now += 1
    assert [bucket.take() for _ in range(3)] == [True, True, False]
    clock.now += 3600
    assert [bucket.take() for _ in range(4)] == [True, True, True, False]


class TestPeerThrottle:
    def test_an_address_is_blocked_whatever_its_port_and_let_in_again(self) -> None:
        clock = Clock()
        throttle = PeerThrottle(2, clock=clock)
        for port in (1, 2):
            assert not throttle.blocked("ipv4:192.0.2.1:40000")
            throttle.count(f"ipv4:192.0.2.1:{port}")
        assert throttle.blocked("ipv4:192.0.2.1:3")
        assert not throttle.blocked("ipv4:192.0.2.2:3")
        clock.now += 31
        assert not throttle.blocked("ipv4:192.0.2.1:3")

    def test_an_ipv6_network_is_one_address(self) -> None:
        throttle = PeerThrottle(1)
        throttle.count("ipv6:%5B2001:db8::1%5D:40000")
        assert throttle.blocked("ipv6:[2001:db8::2]:1")
        assert not throttle.blocked("ipv6:[2001:db8:1::1]:1")
        throttle.count("ipv6:[::ffff:192.0.2.1]:1")
        assert not throttle.blocked("ipv6:[::ffff:192.0.2.2]:1")
        throttle.count("unix:")
        assert throttle.blocked("unix:")

    def test_it_remembers_a_bounded_number_of_addresses(self) -> None:
        throttle = PeerThrottle(1, most_kept=3)
        for number in range(10):
            throttle.count(f"ipv4:192.0.2.{number}:1")
        assert [throttle.blocked(f"ipv4:192.0.2.{number}:1") for number in (0, 6, 7, 9)] == [False, False, True, True]
