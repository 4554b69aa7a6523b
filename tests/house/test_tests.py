"""The house's rules for tests themselves."""

from pathlib import Path

TESTS = Path(__file__).parents[1]


def test_no_test_waits_by_what_the_content_security_policy_forbids() -> None:
    waiting = "page.wait_for_" + "function("
    found = [str(path.relative_to(TESTS)) for path in TESTS.rglob("*.py") if waiting in path.read_text("utf-8")]
    assert found == [], "use wait_until_drawn of tests.webapp.screens, or playwright's expect"
