"""Codes of apps, held against the standard's own numbers."""

import base64
from datetime import UTC, datetime
from xml.etree import ElementTree as ET

import pytest

from webapp.account.second_factor.codes import STEP_S, in_fours, new_secret, picture_of, set_up_link, step_of

# RFC 6238, appendix B: SHA-1, with the secret "12345678901234567890"; the last six of its eight digits.
SECRET = base64.b32encode(b"12345678901234567890").decode()
VECTORS = [
    (59, "287082"), (1111111109, "081804"), (1111111111, "050471"), (1234567890, "005924"), (2000000000, "279037"),
    (20000000000, "353130"),
]  # fmt: skip


def at(seconds):
    return datetime.fromtimestamp(seconds, UTC)


@pytest.mark.parametrize(("seconds", "code"), VECTORS)
def test_the_standards_codes_and_those_of_one_step_before_and_after(seconds, code):
    step = seconds // STEP_S
    for late in range(-2, 3):
        if seconds + late * STEP_S >= STEP_S:  # else 1969
            found = step_of(SECRET, code, at(seconds + late * STEP_S))
            assert found == (step if abs(late) < 2 else None)
    assert step_of(SECRET, f" {code[:3]} {code[3:]}", at(seconds)) == step


@pytest.mark.parametrize("typed", ["", "28708", "2870822", "28708x", "٢٨٧٠٨٢", "-28708", "287082\n287082", "k7mq-9xwd"])
def test_what_is_no_code_is_none(typed):
    assert step_of(SECRET, typed, at(59)) is None


def test_secrets_are_random_and_as_long_as_the_standard_wants_them():
    secrets = {new_secret() for _ in range(50)}
    assert len(secrets) == 50
    assert {len(base64.b32decode(secret)) for secret in secrets} == {20}
    assert in_fours("ABCDEFGHIJ") == "ABCD EFGH IJ"


def test_the_picture_is_squares_only_and_the_link_says_what_apps_want():
    link = set_up_link(SECRET, email="ada@example.edu", institution="Université & Co")
    assert link.startswith("otpauth://totp/Universit%C3%A9%20%26%20Co:ada%40example.edu?secret=")
    assert f"secret={SECRET}" in link
    assert "issuer=Universit%C3%A9%20%26%20Co" in link
    svg = str(picture_of(link))
    assert "style" not in svg
    assert "://" not in svg
    assert {element.tag for element in ET.fromstring(svg).iter()} == {"svg", "path"}  # noqa: S314 - made here
