import pytest

from webapp.tools.requests import LARGEST_ID, read_id


@pytest.mark.parametrize("text", ["1", "007", "999999999", "1000000000", str(LARGEST_ID)])
def test_an_id_is_read_up_to_the_largest_of_its_column(text: str) -> None:
    assert read_id(text) == int(text)


@pytest.mark.parametrize("text", ["", "-1", "1.0", " 1", "x", "²", "٣", str(LARGEST_ID + 1), "9" * 5000])
def test_what_cannot_be_an_id_is_none(text: str) -> None:
    assert read_id(text) is None
