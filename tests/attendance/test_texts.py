"""Texts of the core that pages translate."""

import copy
import json
from datetime import date

from attendance.texts import Text, english, english_count, english_list, from_plain, to_plain


def test_a_text_is_its_english_and_remembers_its_pattern():
    said = english("There is no room called %(room)s.", room="Hall A")
    assert said == "There is no room called Hall A."
    assert (said.pattern, said.plural, said.values) == (
        "There is no room called %(room)s.",
        None,
        {"room": "Hall A"},
    )


def test_numbers_choose_the_form_and_are_written_with_commas():
    assert english_count("%(num)s line", "%(num)s lines", 1) == "1 line"
    assert english_count("%(num)s line", "%(num)s lines", 1200) == "1,200 lines"
    assert english("At most %(most)s bytes.", most=10_000) == "At most 10,000 bytes."
    assert english("On %(day)s.", day=date(2026, 11, 23)) == "On Mon 23 Nov 2026."


def test_a_percent_sign_without_values_stays():
    assert english("below 75 %") == "below 75 %"
    assert english_list("; ", ["50 % more", "none"]) == "50 % more; none"


def test_it_survives_copying_and_json():
    said = english_list(
        " ", [english("On %(day)s.", day=date(2026, 1, 2)), english_count("%(num)s day", "%(num)s days", 3)]
    )
    for again in (
        copy.deepcopy(said),
        from_plain(json.loads(json.dumps(to_plain(said)))),
    ):
        assert again == said == "On Fri 2 Jan 2026. 3 days"
        assert isinstance(again, Text)
        assert isinstance(again.values["text0"], Text)
        assert again.values["text0"].values == {"day": date(2026, 1, 2)}
