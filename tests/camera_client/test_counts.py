from camera_client.counts import Counts, outcome_name
from protos.attendance.v1 import attendance_pb2 as pb


def result(outcome: int, *faces: pb.RecognizedFace) -> pb.FrameResult:
    return pb.FrameResult(sequence=1, outcome=outcome, faces=faces)  # type: ignore[arg-type]


def test_outcomes_have_plain_names() -> None:
    assert outcome_name(pb.FRAME_OUTCOME_NO_SESSION) == "no_session"
    assert outcome_name(17) == "unknown_17"


def test_answers_are_counted_and_students_not_named() -> None:
    counts = Counts(sent=3)
    known = pb.RecognizedFace(match=pb.MATCH_STUDENT, student="IN-77", confirmed=True)
    stranger = pb.RecognizedFace(match=pb.MATCH_UNKNOWN)
    counts.answer(result(pb.FRAME_OUTCOME_RECOGNIZED, known, stranger), 0.1, "")
    counts.answer(result(pb.FRAME_OUTCOME_RECOGNIZED, known), 0.3, "")
    counts.answer(result(pb.FRAME_OUTCOME_NO_SESSION), 0.2, "No class now.")
    event = counts.as_event()
    assert event["outcomes"] == {"recognized": 2, "no_session": 1}
    assert (event["faces"], event["recognized"], event["students_confirmed"]) == (3, 2, 1)
    assert event["latency_ms"] == {"p50": 200, "p95": 300}
    summary = counts.summary(captured=4, dropped=1, left=0, seconds=2)
    assert "recognized 2, no_session 1" in summary
    assert "The service on no_session: No class now." in summary
    assert "IN-77" not in summary + counts.line() + str(event)


def test_the_clock_is_part_of_the_summary() -> None:
    def shown(ahead_s: float | None) -> str:
        return Counts(clock_ahead_s=ahead_s).summary(captured=0, dropped=0, left=0, seconds=0)

    assert "Clock                12.3 s behind the service's" in shown(-12.34)
    assert "Clock                0.0 s ahead of the service's" in shown(0.01)
    assert "Clock                not compared with the service's" in shown(None)


def test_a_run_without_answers_has_a_summary() -> None:
    assert "no answer" in Counts().summary(captured=0, dropped=0, left=0, seconds=0)
    assert "answers: none" in Counts().line()


def test_faces_too_small_to_be_named_are_told() -> None:
    counts = Counts()
    assert "too small" not in counts.summary(captured=0, dropped=0, left=0, seconds=0)
    faces = [pb.RecognizedFace(match=match) for match in (pb.MATCH_TOO_SMALL, pb.MATCH_STUDENT, pb.MATCH_TOO_SMALL)]
    counts.answer(result(pb.FRAME_OUTCOME_RECOGNIZED, *faces), 0.1, "")
    assert counts.as_event()["too_small"] == 2
    summary = counts.summary(captured=1, dropped=0, left=0, seconds=1)
    assert "3, of which 1 matched with a student and 2 were too small to be named" in summary


def test_faces_that_stay_in_place_are_told() -> None:
    counts = Counts()
    assert "place" not in counts.line()
    faces = [pb.RecognizedFace(match=match) for match in (pb.MATCH_FOLLOWED, pb.MATCH_STUDENT, pb.MATCH_TOO_SMALL)]
    counts.answer(result(pb.FRAME_OUTCOME_RECOGNIZED, *faces), 0.1, "")
    assert (counts.as_event()["followed"], counts.as_event()["recognized"]) == (1, 1)
    assert "1 of 3 faces matched and 1 known by their place" in counts.line()
    summary = counts.summary(captured=1, dropped=0, left=0, seconds=1)
    assert (
        "3, of which 1 matched with a student, 1 stayed where a student was confirmed and 1 were too small" in summary
    )
