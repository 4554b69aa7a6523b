import math
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
import sqlalchemy as sa
from structlog.testing import capture_logs

from attendance.database.models import ClassSession, CourseGroup, CourseGroupMember, Enrolment, Origin
from attendance.database.timetable import SessionPlan
from attendance.database.watching.observation import MinuteCounts, counts_of
from attendance.gallery.gallery import Gallery
from recognition_service.evidence.frame_plan import FramePlan, frame_plan
from recognition_service.evidence.matching import Matcher
from recognition_service.evidence.seen import MatchKind
from recognition_service.evidence.seen import counts_of as counts_in
from recognition_service.outbox.store import OutboxError
from tests.factories import NINE
from tests.recognition_service.scenes import RULES, STUDENTS, Scene, face, gallery


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    scene = Scene(tmp_path)
    yield scene
    scene.close()


def plan_of(number: int, starts_at: datetime, roster: str, *, early: int = 10, minutes: int = 60) -> SessionPlan:
    return SessionPlan(
        number, 1, 1, starts_at, starts_at + timedelta(minutes=minutes), early, 10, frozenset(roster.split())
    )


def test_a_confirmed_student_is_on_disk_before_the_frame_is_acknowledged(scene: Scene) -> None:
    session = scene.add()
    for frame in range(2):
        [seen] = scene.see(NINE + timedelta(seconds=frame), face(0))
        assert (seen.match.student, seen.track, seen.confirmed) == ("anna", 1, False)
    assert scene.stored() == {}
    [seen] = scene.see(NINE + timedelta(seconds=2), face(0))
    assert seen.confirmed
    sighting = scene.stored()[session, "anna"]
    assert (sighting.first_seen, sighting.last_seen) == (NINE, NINE + timedelta(seconds=2))
    assert sighting.camera_id == 7
    assert 0.9 < sighting.confidence < 1


def test_a_stranger_stays_a_stranger(scene: Scene) -> None:
    scene.add()
    for frame in range(100):
        [seen] = scene.see(NINE + timedelta(seconds=0.5 * frame), face(5))
        assert (seen.match.kind, seen.confirmed) == (MatchKind.UNKNOWN, False)
    assert scene.stored() == {}


def test_a_student_of_another_course_is_not_recorded(scene: Scene) -> None:
    scene.add()
    for frame in range(5):
        [seen] = scene.see(NINE + timedelta(seconds=frame), face(3))
        assert seen.match.kind is MatchKind.NOT_ON_ROSTER
    scene.flow.finish()
    assert scene.stored() == {}


def test_a_student_of_another_group_is_a_guest_once_the_session_runs(scene: Scene) -> None:
    session = scene.add_of_group(range(2), others=range(2, 3))
    before = NINE - timedelta(minutes=5)
    scene.confirm(0, 2, 3, at=before)
    assert set(scene.stored()) == {(session, "anna")}
    scene.confirm(0, 2, 3, at=NINE)
    assert set(scene.stored()) == {(session, "anna"), (session, "carl")}
    assert scene.stored()[session, "carl"].first_seen == NINE


def test_whoever_is_expected_in_another_session_of_the_room_is_no_guest(scene: Scene) -> None:
    group = scene.add_of_group(range(2), others=range(2, 3))
    own = scene.add(students=range(2, 3))
    scene.confirm(0, 2)
    assert set(scene.stored()) == {(group, "anna"), (own, "carl")}


def test_a_guest_who_joins_the_group_is_recorded_from_the_first_sighting_on(scene: Scene) -> None:
    session = scene.add_of_group(range(2), others=range(2, 3))
    scene.confirm(2)
    with scene.sessions.begin() as db:
        group = db.scalars(sa.select(CourseGroup)).one()
        db.add(CourseGroupMember(group_id=group.id, student_id=scene.students[2].id))
    scene.confirm(2, at=NINE + timedelta(minutes=2))
    assert scene.stored()[session, "carl"].first_seen == NINE


def test_a_class_side_by_side(scene: Scene) -> None:
    session = scene.add()
    scene.confirm(0, 1, 2, 5, 6)
    assert set(scene.stored()) == {(session, "anna"), (session, "ben"), (session, "carl")}


def test_two_faces_of_one_student_in_one_frame_are_one_student(scene: Scene) -> None:
    scene.add()
    for frame in range(5):
        near, far = scene.see(NINE + timedelta(seconds=frame), face(0, 0.3), face(0, 0.4, left=500))
        assert (near.match.student, far.match.kind, far.confirmed) == ("anna", MatchKind.AMBIGUOUS, False)


def test_a_student_seen_for_a_moment_now_and_then_is_recorded(scene: Scene) -> None:
    session = scene.add()
    for place, second in enumerate((0, 40, 90)):
        looks = face(0, 0.25, left=10.0 + 300.0 * place)
        [seen] = scene.see(NINE + timedelta(seconds=second), looks)
        assert seen.track == place + 1
    assert scene.stored()[session, "anna"].first_seen == NINE


def test_several_strangers_who_look_like_a_student_for_a_moment_are_not(scene: Scene) -> None:
    scene.add()
    for place in range(12):
        stranger = face(0, 0.48, left=300.0 * place)  # each near to Anna's encoding, but from another side
        [seen] = scene.see(NINE + timedelta(seconds=20 * place), stranger)
        assert (seen.match.student, seen.confirmed) == ("anna", False)
    assert scene.stored() == {}


def test_last_seen_is_stored_at_an_interval_and_at_the_end(scene: Scene) -> None:
    session = scene.add()
    scene.confirm(0)
    for second in range(2, 70):
        scene.see(NINE + timedelta(seconds=second), face(0))
    assert scene.stored()[session, "anna"].last_seen == NINE + timedelta(seconds=61)
    scene.flow.finish()
    assert scene.stored()[session, "anna"].last_seen == NINE + timedelta(seconds=69)


def test_finishing_with_nothing_new_stores_nothing(scene: Scene) -> None:
    scene.add()
    scene.confirm(0)
    before = scene.outbox.pending(10)
    scene.flow.finish()
    scene.new_flow().finish()
    assert scene.outbox.pending(10) == before


def test_what_could_not_be_stored_is_not_acknowledged_and_is_stored_later(scene: Scene) -> None:
    session = scene.add()
    hidden = scene.outbox.path.with_name("hidden")
    scene.outbox.path.rename(hidden)
    with pytest.raises(OutboxError):
        scene.confirm(0)
    hidden.rename(scene.outbox.path)
    scene.see(NINE + timedelta(seconds=1), face(0))  # the camera sends the frame again
    assert set(scene.stored()) == {(session, "anna")}


def test_faces_that_cannot_be_compared_are_strangers_and_harm_no_other(scene: Scene) -> None:
    scene.add()
    broken = face(0)
    broken.encoding[5] = math.nan
    for frame in range(3):
        bad, good = scene.see(NINE + timedelta(seconds=frame), broken, face(1, left=300))
    assert (bad.match.kind, bad.track, bad.confirmed) == (MatchKind.UNKNOWN, 0, False)
    assert good.confirmed
    assert scene.see(NINE + timedelta(seconds=4)) == []


@pytest.mark.parametrize("width", [0.0, RULES.smallest_named - 0.5, math.nan])
def test_a_face_too_small_is_counted_and_is_neither_named_nor_a_vote(scene: Scene, width: float) -> None:
    scene.add()
    small = face(0)
    small.box[2] = width
    for frame in range(20):
        tiny, other = scene.see(NINE + timedelta(seconds=frame), small, face(1, left=300))
    assert (tiny.match.kind, tiny.match.student, tiny.track, tiny.confirmed) == (MatchKind.TOO_SMALL, None, 0, False)
    assert other.confirmed
    assert scene.present() == {"ben"}
    assert scene.flow.searched <= 20, "nobody is searched for whom it is too small"


def test_a_small_face_does_not_speak_against_whom_it_is(scene: Scene) -> None:
    """Somebody who comes nearer: the frames from afar count for nothing."""
    scene.add()
    for frame in range(20):
        small = face(6)
        small.box[2] = RULES.smallest_named - 1
        scene.see(NINE + timedelta(seconds=frame), small)
    scene.confirm(0, at=NINE + timedelta(seconds=30))
    assert scene.present() == {"anna"}


def test_a_gallery_of_another_model_is_an_error_and_no_record(scene: Scene) -> None:
    scene.add()
    scene.matcher = Matcher(Gallery.empty("other", 64), RULES)
    with pytest.raises(ValueError, match="64"):
        scene.see(NINE, face(0))


def test_a_new_index_is_used_from_the_next_frame_on(scene: Scene) -> None:
    scene.add()
    scene.matcher = Matcher(gallery(1), RULES)
    assert scene.see(NINE, face(0))[0].match.kind is MatchKind.UNKNOWN
    scene.matcher = Matcher(gallery(0, 1), RULES)
    assert scene.see(NINE, face(0))[0].match.student == "anna"


def test_a_student_taken_off_the_roster_is_not_recorded_any_more(scene: Scene) -> None:
    scene.add()
    scene.see(NINE, face(0))
    scene.see(NINE + timedelta(seconds=1), face(0))
    with scene.sessions.begin() as db:
        db.execute(sa.delete(Enrolment).where(Enrolment.student_id == scene.students[0].id))
    scene.see(NINE + timedelta(seconds=2), face(0), plan=_no_roster(scene))
    assert scene.stored() == {}


def _no_roster(scene: Scene) -> FramePlan:
    """The plan once the timetable has been read again."""
    for _ in range(1000):
        plan = scene.flow.plan(NINE)
        assert plan is not None
        if "anna" not in plan.roster:
            return plan
    pytest.fail("the change of the roster was not seen")


def test_no_frame_counts_outside_a_session(scene: Scene) -> None:
    scene.add()
    end = NINE + timedelta(minutes=90)
    assert scene.flow.plan(NINE - timedelta(minutes=10, seconds=1)) is None
    assert scene.flow.plan(NINE - timedelta(minutes=10)) is not None
    assert scene.flow.plan(end - timedelta(microseconds=1)) is not None
    assert scene.flow.plan(end) is None


def test_frames_of_two_times_count_for_the_sessions_of_their_times(scene: Scene) -> None:
    """A camera that was cut off sends old frames between new ones."""
    morning, afternoon = scene.add(), scene.add(NINE + timedelta(hours=5))
    for second in range(5):
        scene.see(NINE + timedelta(hours=5, seconds=second), face(0))
        scene.see(NINE + timedelta(seconds=second), face(1))
    assert set(scene.stored()) == {(afternoon, "anna"), (morning, "ben")}


def test_evidence_is_not_carried_from_one_session_to_the_next(scene: Scene) -> None:
    scene.add()
    later = scene.add(NINE + timedelta(minutes=90), 60)
    end = NINE + timedelta(minutes=90)
    for seconds in (-2, -1, 0, 1):
        scene.see(end + timedelta(seconds=seconds), face(0))
    assert scene.stored() == {}
    scene.see(end + timedelta(seconds=2), face(0))
    assert scene.stored()[later, "anna"].first_seen == end


def test_the_student_of_two_sessions_counts_for_the_running_one_until_it_ends(scene: Scene) -> None:
    first = scene.add(minutes=60, students=range(2))
    second = scene.add(NINE + timedelta(minutes=60), students=range(1, 3))
    early = NINE + timedelta(minutes=55)
    scene.confirm(0, 1, 2, at=early)
    assert set(scene.stored()) == {(first, "anna"), (first, "ben"), (second, "carl")}
    scene.confirm(0, 1, 2, at=NINE + timedelta(minutes=61))
    assert set(scene.stored()) == {(first, "anna"), (first, "ben"), (second, "carl"), (second, "ben")}
    assert scene.stored()[second, "ben"].first_seen == NINE + timedelta(minutes=61)


def test_the_last_sighting_is_stored_some_time_after_the_session(scene: Scene) -> None:
    session = scene.add()
    end = NINE + timedelta(minutes=90)
    scene.confirm(0, at=end - timedelta(seconds=10))
    scene.see(end - timedelta(seconds=1), face(0))
    assert scene.flow.plan(end) is None
    assert scene.stored()[session, "anna"].last_seen == end - timedelta(seconds=9)
    scene.clock.now += 6
    assert scene.flow.plan(end + timedelta(seconds=6)) is None
    assert scene.stored()[session, "anna"].last_seen == end - timedelta(seconds=1)
    scene.clock.now += 60
    assert scene.flow.plan(end + timedelta(seconds=66)) is None
    assert scene.flow._sessions == {}
    assert scene.flow._tracker._persons == {}


def test_a_failing_outbox_does_not_stop_the_asking_for_plans(scene: Scene) -> None:
    scene.add()
    end = NINE + timedelta(minutes=90)
    scene.confirm(0, at=end - timedelta(seconds=10))
    scene.see(end - timedelta(seconds=1), face(0))
    scene.outbox.path.unlink()
    scene.clock.now += 100
    with capture_logs() as logs:
        assert scene.flow.plan(end + timedelta(seconds=100)) is None
    assert [entry["event"] for entry in logs] == ["last_sightings_not_stored"]


def test_a_stream_of_many_sessions_keeps_the_evidence_of_few(scene: Scene) -> None:
    sessions = [scene.add(NINE + timedelta(hours=2 * number)) for number in range(7)]
    for number in range(7):
        scene.confirm(0, at=NINE + timedelta(hours=2 * number))
        scene.see(NINE + timedelta(hours=2 * number, seconds=9), face(0))
    assert len(scene.flow._sessions) == 4
    assert {session for session, _ in scene.stored()} == set(sessions)
    assert scene.stored()[sessions[0], "anna"].last_seen == NINE + timedelta(seconds=9)


def test_a_confirmation_is_logged_without_an_encoding(scene: Scene) -> None:
    session = scene.add()
    with capture_logs() as logs:
        scene.confirm(0)
    [entry] = [entry for entry in logs if entry["event"] == "student_confirmed"]
    assert (entry["session"], entry["camera"], entry["frames"]) == (session, 7, 3)
    assert "encoding" not in str(logs)
    assert "anna" not in str(logs), "logs outlive students who are deleted"


def test_a_session_that_is_extended_goes_on_counting(scene: Scene) -> None:
    session = scene.add(minutes=30)
    with scene.sessions.begin() as db:
        db.get_one(ClassSession, session).ends_at += timedelta(minutes=30)
    scene.confirm(0, at=NINE + timedelta(minutes=45))
    assert set(scene.stored()) == {(session, "anna")}


def test_plans_put_running_sessions_first() -> None:
    early, running = plan_of(1, NINE + timedelta(minutes=5), "ben carl"), plan_of(2, NINE, "anna ben")
    next_early = plan_of(3, NINE + timedelta(minutes=8), "carl dora")
    plan = frame_plan([next_early, early, running], NINE)
    assert plan is not None
    assert [session.session_id for session in plan.sessions] == [2, 1, 3]
    assert (plan.session_id, plan.running) == (2, 1)
    assert plan.roster == {"anna", "ben", "carl", "dora"}
    where = {student: [one.session_id for one in plan.sessions_of(student)] for student in [*STUDENTS, "nobody"]}
    assert where == {"anna": [2], "ben": [2], "carl": [1], "dora": [3], "nobody": []}


def test_a_student_of_two_sessions_that_run_at_once_is_in_both() -> None:
    plan = frame_plan([plan_of(1, NINE, "anna"), plan_of(2, NINE, "anna ben")], NINE)
    assert plan is not None
    assert [session.session_id for session in plan.sessions_of("anna")] == [1, 2]


def observed(scene: Scene) -> MinuteCounts:
    scene.flow.finish()
    ((_, hour),) = scene.outbox.pending_observed(9)
    return counts_of(hour.counts, NINE.minute)


def test_counts_the_largest_numbers_of_a_minute(scene: Scene) -> None:
    scene.add()
    small = replace(face(1, left=900), box=np.array([900, 0, 908, 8], np.float32))
    scene.see(NINE, face(0), face(5, left=200), small)
    scene.see(NINE + timedelta(seconds=1), face(0), face(3, left=200))  # an enrolled student of another class
    scene.see(NINE + timedelta(seconds=2), face(5), face(6, left=200))
    assert observed(scene) == MinuteCounts(seen=3, named=1, too_small=1, unknown=2, unnamed=2)


def test_a_tie_is_not_named_and_not_unknown(scene: Scene) -> None:
    scene.add()
    for second in range(3):
        scene.see(NINE + timedelta(seconds=second), face(0, 0.3), face(0, 0.4, left=500))
    assert observed(scene) == MinuteCounts(seen=2, named=1, too_small=0, unknown=0, unnamed=1)


def test_who_was_confirmed_is_named_also_while_turned_away(scene: Scene) -> None:
    scene.add()
    scene.confirm(0)
    away = face(0, RULES.threshold + 0.02)  # like nobody enough
    [seen] = scene.see(NINE + timedelta(seconds=1.4), away)
    assert (seen.match.kind, seen.known) == (MatchKind.UNKNOWN, True)
    assert counts_in([seen]) == MinuteCounts(1, 1, 0, 0, 0)


def test_live_and_kept_frames_confirm_nobody_together(scene: Scene) -> None:
    session = scene.add()
    for number, origin in enumerate((Origin.LIVE, Origin.LIVE, Origin.KEPT, Origin.KEPT)):
        [seen] = scene.see(NINE + timedelta(seconds=number), face(0), origin=origin)
        assert not seen.confirmed
    [seen] = scene.see(NINE + timedelta(seconds=9), face(0), origin=Origin.KEPT)
    assert seen.confirmed
    ((_, sighting),) = scene.outbox.pending(9)
    assert (sighting.session_id, sighting.origin, sighting.first_seen) == (
        session,
        Origin.KEPT,
        NINE + timedelta(seconds=2),
    )
    [evidence] = [evidence for _, evidence in scene.outbox.evidence_of([sighting])]
    assert evidence.origin is Origin.KEPT
