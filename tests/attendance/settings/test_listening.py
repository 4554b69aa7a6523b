"""Listening where the network can read along is said in the log, of every program that listens."""

import pytest
from structlog.testing import capture_logs

from attendance.settings.listening import listens_on_this_machine_only, warn_of_plain_text


@pytest.mark.parametrize(
    ("listen", "only_here"),
    [
        ("127.0.0.1:50051", True),
        ("127.8.0.1:0", True),
        ("[::1]:50051", True),
        ("localhost:8000", True),
        ("0.0.0.0:50051", False),
        ("[::]:50051", False),
        ("192.0.2.7:8000", False),
        ("attendance.example.edu:8000", False),
        ("127.example.edu:8000", False),
    ],
)
def test_who_can_reach_an_address(listen: str, only_here: bool) -> None:
    assert listens_on_this_machine_only(listen) is only_here
    with capture_logs() as events:
        warn_of_plain_text(listen, setting="ATTENDANCE_WEB_LISTEN", shows="passwords", advice="do not")
    said = [(event["event"], event["log_level"], event["address"], event["setting"]) for event in events]
    assert said == ([] if only_here else [("listening_without_tls", "warning", listen, "ATTENDANCE_WEB_LISTEN")])
