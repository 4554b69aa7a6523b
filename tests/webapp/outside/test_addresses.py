"""Which addresses may be called."""

import socket
from ipaddress import ip_address, ip_network
from typing import Any

import pytest

from attendance.settings import SettingsError, load_settings
from attendance.settings.web import WebSettings
from webapp.outside import OutsideAddressError, OutsideError, check_address
from webapp.outside.addresses import is_public, look_up

_INNER = (ip_network("10.20.0.0/16"), ip_network("fd12::/16"))


@pytest.mark.parametrize(
    "number",
    [
        "127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "224.0.0.1",
        "255.255.255.255", "240.0.0.1", "192.0.2.1", "198.18.0.1", "::1", "::", "fe80::1", "fd00::1", "fec0::1",
        "::ffff:127.0.0.1", "::ffff:169.254.169.254", "64:ff9b::7f00:1", "64:ff9b:1::7f00:1", "2002:7f00:1::1",
        "2002:a9fe:a9fe::", "2001:0:7f00:1::", "2001:db8::1", "::127.0.0.1", "ff02::1", "0.1.2.3",
    ],
)  # fmt: skip
def test_what_is_not_public(number: str) -> None:
    assert not is_public(ip_address(number))


@pytest.mark.parametrize("number", ["8.8.8.8", "193.0.6.139", "2a00:1450::1", "64:ff9b::808:808", "::ffff:8.8.8.8"])
def test_what_is_public(number: str) -> None:
    assert is_public(ip_address(number))


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("", "space"),
        ("receiver.example.edu/path", "no address like"),
        ("ftp://receiver.example.edu/", "no address like"),
        ("file:///etc/passwd", "no address like"),
        ("https:///path", "no address like"),
        ("https://receiver.example.edu:0/", "no address like"),
        ("https://receiver.example.edu:99999/", "no address like"),
        ("https://[::1/", "no address like"),
        ("https://[fe80::1%25eth0]/", "no address like"),
        ("https://user:word@receiver.example.edu/", "no user and no password"),
        ("https://receiver.example.edu@10.1.1.1/", "no user and no password"),
        ("https://receiver.example.edu\\@10.1.1.1/", "beyond ASCII"),
        ("https://receiver.example.edu/a b", "space"),
        ("https://receiver.example.edu/\r\nHost: inner", "space"),
        ("https://universität.example/", "beyond ASCII"),
        ("https://receiver.example.edu/" + "a" * 2000, "too long"),
        ("http://receiver.example.edu/", "https"),
        ("https://127.0.0.1/", "no public address"),
        ("https://[::ffff:10.0.0.1]/", "no public address"),
        ("https://169.254.169.254/latest/meta-data", "may not be called"),
    ],
)
def test_what_is_no_address(url: str, says: str) -> None:
    with pytest.raises(OutsideAddressError, match=says):
        check_address(url, ())


def test_an_address_is_taken_apart() -> None:
    address = check_address("https://Receiver.example.edu:8443/hook?a=b#part", ())

    assert (address.scheme, address.host, address.port) == ("https", "receiver.example.edu", 8443)
    assert (address.target, address.origin) == ("/hook?a=b", "https://receiver.example.edu:8443")
    assert check_address("https://[2a00:1450::1]", ()).origin == "https://[2a00:1450::1]"


def test_a_network_that_is_named_may_be_called_also_plainly() -> None:
    assert check_address("http://10.20.0.5:8080/hook", _INNER).port == 8080
    assert check_address("https://[fd12::5]/", _INNER).host == "fd12::5"
    with pytest.raises(OutsideAddressError, match="no public address"):
        check_address("http://10.21.0.5/", _INNER)
    with pytest.raises(OutsideAddressError, match="https"):
        check_address("http://8.8.8.8/", _INNER)  # the network is named for plain http, this one is not


@pytest.mark.parametrize("number", ["169.254.169.254", "[fd00:ec2::254]", "168.63.129.16", "[::ffff:169.254.169.254]"])
def test_the_keys_of_a_clouds_machine_are_never_asked_for(number: str) -> None:
    everything = (ip_network("0.0.0.0/0"), ip_network("::/0"))
    with pytest.raises(OutsideAddressError, match="may not be called"):
        check_address(f"http://{number}/", everything)


def _resolving(monkeypatch: pytest.MonkeyPatch, *numbers: str) -> None:
    def found(host: str, port: int, **_: Any) -> list[tuple[Any, ...]]:
        return [(socket.AF_INET6 if ":" in one else socket.AF_INET, 1, 6, "", (one, port)) for one in numbers]

    monkeypatch.setattr(socket, "getaddrinfo", found)


@pytest.mark.real
def test_every_address_of_a_name_is_judged(monkeypatch: pytest.MonkeyPatch) -> None:
    address = check_address("https://receiver.example.edu/", ())

    _resolving(monkeypatch, "193.0.6.139", "2a00:1450::1")
    assert len(look_up(address, ())) == 2
    _resolving(monkeypatch, "193.0.6.139", "192.168.0.1")
    with pytest.raises(OutsideAddressError, match=r"192\.168\.0\.1"):
        look_up(address, ())
    _resolving(monkeypatch, "193.0.6.139", "169.254.169.254")
    with pytest.raises(OutsideAddressError, match="may not be called"):
        look_up(address, _INNER)


@pytest.mark.real
@pytest.mark.parametrize("host", ["2130706433", "0x7f.1", "127.1", "0177.0.0.1", "localhost"])
def test_other_ways_to_write_the_machine_itself_are_seen_through(host: str) -> None:
    address = check_address(f"https://{host}/", ())
    with pytest.raises(OutsideAddressError, match="no public address"):
        look_up(address, ())


@pytest.mark.real
@pytest.mark.parametrize("host", ["nobody.invalid", "a" * 64 + ".example", "a..b"])
def test_a_name_that_nobody_knows_is_said_so(host: str) -> None:
    with pytest.raises(OutsideError, match="is not known"):
        look_up(check_address(f"https://{host}/", ()), ())


def test_the_setting_is_a_list_of_networks() -> None:
    web = WebSettings(private_addresses="10.20.0.0/16, fd12::/16 192.168.7.9")
    assert web.private_networks == (*_INNER, ip_network("192.168.7.9/32"))
    with pytest.raises(SettingsError, match=r"ATTENDANCE_WEB_PRIVATE_ADDRESSES: '10\.20\.0\.1/16' is no network"):
        load_settings({"ATTENDANCE_WEB_PRIVATE_ADDRESSES": "10.20.0.1/16"})
