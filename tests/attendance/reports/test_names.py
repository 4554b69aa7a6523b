import pytest

from attendance.reports.names import printable


@pytest.mark.parametrize("name", ["1001/a.jpg", "Zoë Łuczak 学生", "", "früh & <i>"])
def test_a_name_that_people_can_read_stays(name: str) -> None:
    assert printable(name) == name


@pytest.mark.parametrize("name", ["a\x1b[2J.jpg", "a\nb", "a\u202eb", "\udcff.jpg", "\x7f"])
def test_what_a_terminal_obeys_is_shown_as_its_escape(name: str) -> None:
    shown = printable(name)
    assert shown.isprintable()
    assert shown.isascii()
    assert shown == ascii(name)
