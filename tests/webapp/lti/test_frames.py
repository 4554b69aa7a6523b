"""Whose pages may frame ours."""

import pytest

from webapp.lti.frames import origin_of


@pytest.mark.parametrize(
    ("address", "origin"),
    [
        ("https://Moodle.example.edu/mod/lti?id=7", "https://moodle.example.edu"),
        ("http://127.0.0.1:8080/", "http://127.0.0.1:8080"),
        ("https://", None),
        ("https:///path", None),
        ("https://[", None),
        ("https://moodle.example.edu:0x1/", None),
        ("https://*.example.edu", None),
        ("https://moodle.example.edu;script-src *", None),
        ("javascript://moodle.example.edu", None),
        ("https://uczelnia-łódź.example", None),  # which no header can hold
        ("https://xn--uczelnia-d-obb.example", "https://xn--uczelnia-d-obb.example"),
    ],
)
def test_an_origin_is_what_a_policy_can_name(address: str, origin: str | None) -> None:
    assert origin_of(address) == origin
