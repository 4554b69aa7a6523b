"""The page of recognition services in Chromium: on every width, by keyboard, held to WCAG."""

from datetime import timedelta

import pytest

from attendance.database.models import IndexVersion, Role, Service, utc_now
from tests.factories import make_lecturer

OLD, NEW = "000411-20260930T080000Z-1f3a9c01", "000412-20261001T080000Z-5f3a9c01"
SOURCE = "attendance.example.edu:50051"


@pytest.mark.exhaustive
def test_nothing_is_cut_off_and_the_page_is_accessible(dashboard, open_page, assert_accessible):
    now = utc_now()
    with dashboard.sessions() as db:
        admin = make_lecturer(db, name="Barbara Liskov", role=Role.ADMIN)
        about = {"model": "m", "identities": 12_000, "encodings": 36_000, "sha256": "0" * 64}
        db.add(IndexVersion(version=NEW, published_at=now - timedelta(hours=3), **about))
        db.add(Service(name="main-1:50061", address="127.0.0.1:50061", last_seen_at=now, index_version=NEW))
        lost = Service(name="hall-b:50061", address="10.20.0.5:50061", last_seen_at=now, index_version=OLD)
        lost.outbox_depth, lost.index_source = 1312, SOURCE
        lost.index_problem = f"{SOURCE} does not give its index: the token is unknown or has been revoked"
        db.add(lost)
        db.commit()
    for width in (390, 820, 1440):
        for scheme in ("light", "dark"):
            page = open_page(admin, "/admin/services", size={"width": width, "height": 900}, color_scheme=scheme)
            assert_accessible(page)
            assert page.evaluate("document.documentElement.scrollWidth") <= width
