"""A machine that runs with something else is named, with both."""

from dataclasses import replace

import pytest

from operations.recordings.versions import MachineFacts, name_of_code

WANTED = MachineFacts("here", name_of_code(), "sface 1", "000001", "3.11.7")


def test_a_machine_with_the_same_may_work() -> None:
    assert replace(WANTED, machine="there").differs(WANTED) is None


@pytest.mark.parametrize(
    ("field", "what"), [("code", "code"), ("models", "models"), ("index", "index"), ("python", "Python")]
)
def test_a_machine_with_another_version_is_named_with_both(field: str, what: str) -> None:
    told = replace(WANTED, machine="there", **{field: "other"}).differs(WANTED)
    assert told == f"there has another version of the {what}: other, where the run has {getattr(WANTED, field)}"
