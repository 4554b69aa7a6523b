"""Columns that hold what is said to people, and read what older versions wrote."""

import pytest
import sqlalchemy as sa

from attendance.database.models import GalleryJob, GalleryJobKind
from attendance.texts import Text, english, english_count
from tests.factories import NINE


@pytest.mark.parametrize(
    "said",
    [
        english("Erased."),
        english("%(good)s of %(photos)s photos can be used.", good=1_200, photos=2),
        english("Until %(day)s: %(why)s", day=NINE.date(), why=english("100 %% \N{LATIN SMALL LETTER E WITH ACUTE}")),
        english_count("%(num)s line", "%(num)s lines", num=2),
    ],
)
def test_a_text_is_read_as_it_was_said(db, said):
    db.add(GalleryJob(kind=GalleryJobKind.ERASE, index_number="s1", message=said))
    db.commit()
    read = db.scalars(sa.select(GalleryJob.message)).one()
    assert isinstance(read, Text)
    assert (read, read.pattern, read.plural, read.values) == (said, said.pattern, said.plural, said.values)


@pytest.mark.parametrize(
    "kept",
    ["1 of 2 photos can be used.", '{"text": ', '{"text": "a %(b)s", "plural": null, "values": {"c": 1}}', "", None],
)
def test_what_is_no_text_is_read_as_it_is(db, kept):
    db.add(GalleryJob(kind=GalleryJobKind.ERASE, index_number="s1", message=kept))
    db.commit()
    assert db.scalars(sa.select(GalleryJob.message)).one() == kept


def test_what_is_too_long_is_kept_in_english_and_cut(db):
    said = english("Not finished: %(left)s", left="x" * 600)
    db.add(GalleryJob(kind=GalleryJobKind.ERASE, index_number="s1", message=said))
    db.commit()
    assert db.scalars(sa.select(GalleryJob.message)).one() == said[:500]
