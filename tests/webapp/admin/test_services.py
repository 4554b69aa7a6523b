"""The page of recognition services: which index each searches, which lags, which is silent."""

from datetime import timedelta

from attendance.database.models import (
    ConsentRecorder,
    Erasure,
    ErasureAcknowledgement,
    ErasureKind,
    IndexVersion,
    Service,
    utc_now,
)
from tests.webapp.visiting import plain

OLD, NEW = "000011-20260228T080000Z-5f3a9c01", "000012-20260301T080000Z-5f3a9c01"


def add(db, name, *, seen=timedelta(0), **values):
    now = utc_now()
    row = Service(name=name, first_seen_at=now - timedelta(days=9), last_seen_at=now - seen, **values)
    db.add(row)
    db.commit()
    return row


def published(db, ago):
    about = {"model": "dlib-resnet-v1", "identities": 1200, "encodings": 3600, "sha256": "0" * 64}
    db.add(IndexVersion(version=NEW, published_at=utc_now() - ago, **about))
    db.commit()


def test_it_says_of_each_service_what_it_searches_and_what_is_wrong(admin, site_db):
    published(site_db, timedelta(hours=1))
    holder = add(site_db, "holder", address="10.0.0.1:50061", index_version=NEW, outbox_depth=0)
    add(site_db, "second", index_version=OLD, index_source="main:50051", index_problem="main:50051 cannot be reached")
    add(site_db, "third", index_version="", outbox_depth=7)
    add(site_db, "quiet", index_version=NEW, seen=timedelta(minutes=5))
    add(site_db, "attic", index_version=OLD, seen=timedelta(hours=2))
    add(site_db, "former release")
    erasure = Erasure(kind=ErasureKind.WITHDRAWAL, index_number="s1", recorder=ConsentRecorder.STUDENT)
    site_db.add(erasure)
    site_db.flush()
    site_db.add(ErasureAcknowledgement(erasure_id=erasure.id, service_id=holder.id))
    site_db.commit()
    text = plain(admin.get("/admin/services").text)
    assert f"Published is {NEW} , since" in text
    assert "with 1,200 students." in text
    for line in (
        f"holder 10.0.0.1:50061 In step {NEW} 0 sightings 1",
        f"second Older index main:50051 cannot be reached {OLD} from main:50051 not told 0",
        "third No index none 7 sightings 0",
        f"quiet Silent {NEW} not told 0",
        f"attic Not seen for an hour {OLD} not told 0",
        "former release In step not told not told 0",
    ):
        assert line in text, (line, text)
    overview = plain(admin.get("/admin").text)
    for line in ("second Older index main:50051 cannot be reached", "third No index", "quiet Silent"):
        assert line in overview
    assert "holder In step" not in overview
    assert "attic" not in overview, "one that was taken down is no trouble"


def test_an_index_of_a_moment_ago_is_still_on_its_way(admin, site_db):
    published(site_db, timedelta(seconds=20))
    add(site_db, "second", index_version=OLD)
    assert "second Older index" in plain(admin.get("/admin/services").text)
    assert "second Older index" not in plain(admin.get("/admin").text)


def test_without_a_record_the_newest_that_a_service_has_counts(admin, site_db):
    add(site_db, "holder", index_version=NEW)
    add(site_db, "second", index_version=OLD)
    text = plain(admin.get("/admin/services").text)
    assert f"holder In step {NEW}" in text
    assert f"second Older index {OLD}" in text
    assert "Published is" not in text


def test_before_any_service_ran_it_says_so(admin):
    assert "No recognition service yet" in plain(admin.get("/admin/services").text)
