"""Whatever a person writes as a camera's address, nothing that lets somebody in is shown."""

import itertools
import threading
from collections.abc import Iterator

import pytest
from structlog.testing import capture_logs

from camera_client.addresses import cannot_be_meant, may_need_encoding, show_address
from camera_client.backoff import Backoff
from camera_client.connection import ConnectError, Connection, Token
from camera_client.frames import SourceError
from camera_client.jpeg import JpegEncoder
from camera_client.sources import SourceKind, SourceOptions, kind_of, open_source
from tests.camera_client.live_servers import RtspCamera

SECRET = "hunter2"
# Each sign in the middle, at the beginning and at the end of a password.
PASSWORDS = [
    password
    for sign in "/?#[]@:%&=+ \\\"'<>|^`{}~;,!$*()é\n\t"
    for password in (f"Qx7{sign}Jk9", f"{sign}Qx7Jk9", f"Qx7Jk9{sign}", f"Qx7{sign}Vw3{sign}Jk9", f"80{sign}Qx7")
]
PIECES = ("Qx7", "Jk9", "Vw3")


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("rtsp://10.0.0.7/live", "rtsp://10.0.0.7/live"),
        ("rtsp://[fe80::1]:554/live", "rtsp://[fe80::1]:554/live"),
        ("rtsp://admin:pw@10.0.0.7:554/live", "rtsp://admin:***@10.0.0.7:554/live"),
        ("rtsp://:pw@10.0.0.7/live", "rtsp://:***@10.0.0.7/live"),
        ("http://cam/video?user=a&pw=b", "http://cam/video?***"),
        ("http://cam/video#pw=b", "http://cam/video#***"),
        ("rtsp://admin@cam/live", "rtsp://admin@cam/live"),
        ("rtsp://admin:p@ss:word@cam/live", "rtsp://admin:***@cam/live"),
        ("rtsp://admin:pa/ss7@cam/live", "rtsp://admin:***@cam/live"),
        ("rtsp://sec/ret@cam/live", "rtsp://***@cam/live"),
        ("rtsp://admin:pa/ss7", "rtsp://***"),
        ("rtsp://cam:554/user=admin&password=pw&channel=1&stream=0.sdp?", "rtsp://cam:554/***"),
        ("rtsps://cam:7441/5fKkqVsNtUo5BTVz?enableSrtp", "rtsps://cam:7441/***?***"),
        ("rtsp://cam/Streaming/Channels/101", "rtsp://cam/Streaming/Channels/101"),
        ("admin:pw@10.0.0.7/live", "admin:***@10.0.0.7/live"),
        ("rtsp:/admin:pw@10.0.0.7/live", "rtsp:***@10.0.0.7/live"),
        ("10.0.0.7/user=admin_password=pw_channel=1", "***"),
        ("/srv/films/monday.mp4", "/srv/films/monday.mp4"),
    ],
)
def test_addresses_are_shown_without_secrets(address: str, shown: str) -> None:
    assert show_address(address) == shown


@pytest.mark.parametrize("scheme", ["rtsp://", "http://", "gopher://", "rtsp:/", ""])
def test_no_piece_of_a_password_is_shown_whatever_signs_it_holds(scheme: str) -> None:
    for password in PASSWORDS:
        address = f"{scheme}admin:{password}@10.0.0.7:554/live"
        shown = show_address(address)
        assert not any(piece in shown for piece in PIECES), (address, shown)
        assert shown.endswith("@10.0.0.7:554/live")


@pytest.mark.parametrize("scheme", ["rtsp", "http", "gopher"])
def test_what_is_said_about_any_address_holds_no_piece_of_its_password(scheme: str) -> None:
    for password in PASSWORDS:
        address = f"{scheme}://admin:{password}@127.0.0.1:9/live"
        told = []
        with capture_logs() as events:
            try:
                kind_of(address)
                source = open_source(
                    address, SourceOptions(ends=True), encoder=JpegEncoder(), backoff=Backoff(0.001, 0.001)
                )
                told += [source.name, repr(source), str(source)]
            except SourceError as error:
                told += [str(error), repr(error), repr(error.__context__), repr(error.__cause__)]
        assert told
        assert not any(piece in text for piece in PIECES for text in [*told, str(events)]), told


def test_a_password_that_breaks_its_address_is_advised_about() -> None:
    for sign in "/?#":
        address = f"rtsp://admin:pa{sign}ss@10.0.0.7/live"
        assert cannot_be_meant(address)
        with pytest.raises(SourceError, match=r"rtsp://admin:\*\*\*@10.0.0.7/live: the address ends .* / as %2F"):
            kind_of(address)
    for fine in ("rtsp://admin:pa%2Fss@10.0.0.7/live", "http://10.0.0.7:80/a@b", "rtsp://a:b@[fe80::1]/x"):
        assert not cannot_be_meant(fine)
        assert kind_of(fine) is SourceKind.STREAM


@pytest.mark.parametrize("password", ["12/34", "pa[ss", "p@ss"])
def test_a_camera_that_cannot_be_opened_may_need_a_password_encoded(password: str) -> None:
    """With digits before it, "/" leaves an address that is right for another machine."""
    address = f"rtsp://admin:{password}@127.0.0.1:9/live"
    assert may_need_encoding(address)
    source = open_source(address, SourceOptions(give_up_after_s=0), encoder=JpegEncoder())
    with capture_logs() as events, pytest.raises(SourceError, match="percent-encoded") as caught:
        next(source.frames(threading.Event()))
    assert password not in str(events) + str(caught.value)
    assert not may_need_encoding("rtsp://admin:p%2Fw-.~1@10.0.0.7/live")


@pytest.fixture
def camera_with_signs() -> Iterator[RtspCamera]:
    camera = RtspCamera("admin:pa/s?s#[7]@%")
    yield camera
    camera.close()


def test_a_password_of_any_signs_opens_the_camera_when_it_is_encoded(camera_with_signs: RtspCamera) -> None:
    address = f"rtsp://admin:pa%2Fs%3Fs%23%5B7%5D%40%25@127.0.0.1:{camera_with_signs.port}/live"
    source = open_source(address, SourceOptions(rate=10, give_up_after_s=60), encoder=JpegEncoder())
    with capture_logs() as events:
        assert len(list(itertools.islice(source.frames(threading.Event()), 2))) == 2
    assert "pa%2Fs" not in str(events) + source.name


def test_a_service_with_an_account_in_its_address_is_refused_without_showing_it() -> None:
    with pytest.raises(ConnectError, match=r"'http://me:\*\*\*@10.0.0.1:50051'.*host:port is expected"):
        Connection(f"http://me:{SECRET}@10.0.0.1:50051", token=Token.of_value("x"))
