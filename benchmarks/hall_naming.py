"""`python -m benchmarks.hall_naming`: who of a lecture hall is named in single frames, by the size of their face.

Halls are made of real faces, as a camera would send them; everybody stands once in every place. Where there is a second
photo of a person, it is the one in the hall; else the photo that was enrolled, mirrored. On the roster are the hall's
people and 300 others, and whom a face is taken for is decided by the service's own matching with its own distances.
Others are those whom the pictures show besides, and further ones drawn at random: encodings of length one that lie as
far from the hall's people as those lie from each other. Drawn at random, not one pair in a thousand is nearer than the
threshold; of real pairs it is 0.014 %.

Each face is matched by itself, as people stand in a hall many times here. "Taken off the roster" are the people of the
hall, one after the other: who is named then is a stranger with a wrong name.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from attendance.face_engine.faces import find_faces
from attendance.face_engine.interface import Face, FaceEngine, Image
from attendance.face_engine.opencv_engine import OpenCvEngine
from attendance.gallery.gallery import Gallery
from attendance.settings.families import OPENCV, Family
from attendance.settings.matching import MatchingRules, MatchingSettings
from benchmarks.hall import FACES, WIDTHS, Cutting, Hall, seat, shown_by
from benchmarks.pictures import SHARED, face_pictures, shrink
from operations.demo.people import ENROLLED, STRANGERS, Portrait
from recognition_service.evidence.matching import Matcher, is_too_small

OTHERS = 300
AIMS = {32: 0.95, 24: 0.85, 20: 0.70}
"""From which width on, pixels, what share should be named rightly."""
_PHOTOS = 3
"""Of each of the others that are drawn."""
_PIXELS = 2_500_000
_ROOM = (1.2, 1.0)
"""Around a face, as shares of its width: to the sides and above, and below its middle."""
_NOISE, _QUALITY = 2.0, 90
_CLIP = "clip "


@dataclass(slots=True, eq=False)
class Student:
    """Somebody in the hall."""

    enrolled: list[NDArray[np.float32]]
    shown: list[Cutting] = field(default_factory=list)


@dataclass(slots=True)
class Size:
    """What became of the faces of some widths."""

    shown: int = 0
    found: int = 0
    named: int = 0


@dataclass(slots=True)
class Outcome:
    """What became of all of them."""

    sizes: dict[int, Size]
    """By the first width of each band; the last of all is without end."""
    false_names: int = 0
    no_faces: int = 0
    """What was found and is no face of the hall."""
    strangers: int = 0
    strangers_named: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class Judges:
    """Who decides whom a face is taken for."""

    rules: MatchingRules
    everybody: Matcher
    without: dict[str, Matcher]
    """With one of the hall's people taken off the roster."""


def measure(engine: FaceEngine, rules: MatchingRules) -> dict[str, Any]:
    """Name the people of as many halls as there are faces to show; counts and shares by width."""
    students, others = _cast(engine, rules)
    people = {f"student {place}": np.stack(student.enrolled) for place, student in enumerate(students)}
    others = [*others, *_draw([*people.values()], OTHERS - len(others))]
    roster = people | {f"other {place}": encodings for place, encodings in enumerate(others)}
    faces = [(name, one) for name, student in zip(people, students, strict=True) for one in student.shown]
    # So that a hall shows as many people as there are.
    faces = [faces[place] for place in np.random.default_rng(0).permutation(len(faces))]
    outcome = Outcome({start: Size() for start in (min(WIDTHS), *sorted(AIMS))})
    judges = Judges(
        rules,
        _matcher(engine, roster, rules),
        {off: _matcher(engine, {who: roster[who] for who in roster if who != off}, rules) for off in people},
    )
    for first in range(len(faces)):
        names, hall = _hall(faces, first)
        (found,) = find_faces(engine, [hall.frame], smallest_face=rules.smallest_sought)
        _count(outcome, hall, names, found, judges)
    shares = {
        f"from {start} px": {"named": one.named, "found": one.found, "shown": one.shown, "share": one.named / one.shown}
        for start, one in outcome.sizes.items()
    }
    return shares | {
        "false_names": outcome.false_names,
        "no_faces": outcome.no_faces,
        "taken_off_the_roster": {"named": outcome.strangers_named, "shown": outcome.strangers},
        "people": len(students),
        "halls": len(faces),
        "pictures": "the demo's and further ones" if SHARED.is_dir() else "the demo's",
    }


def reached(measured: dict[str, Any]) -> bool:
    """Whether all aims are."""
    return not measured["false_names"] and all(measured[f"from {at} px"]["share"] >= aim for at, aim in AIMS.items())


def lines(measured: dict[str, Any]) -> Iterator[str]:
    """The result for people."""
    for name, one in measured.items():
        if name.startswith("from"):
            aim = AIMS.get(int(name.split()[1]))
            aimed = f", at least {aim:.0%}" if aim else ", none that small is named"
            named = f"{one['named']} of {one['shown']} named rightly ({one['share']:.1%}{aimed})"
            yield f"  {name}: {named}, {one['found']} found"
    off = measured["taken_off_the_roster"]
    yield f"  false names: {measured['false_names']}; found besides: {measured['no_faces']} things that are no faces"
    yield f"  taken off the roster: {off['named']} of {off['shown']} were given a name"


def _cast(engine: FaceEngine, rules: MatchingRules) -> tuple[list[Student], list[NDArray[np.float32]]]:
    """Who is in the halls, and the encodings of other people in the pictures, one of each face."""
    whole = face_pictures()
    pictures = {name: shrink(image, _PIXELS) for name, image in whole.items()}
    everything = {name: find_faces(engine, [image], upsample=0)[0] for name, image in pictures.items()}
    faces = {name: [face for face in found if face.score >= rules.photo_score] for name, found in everything.items()}

    def at(portrait: Portrait) -> Face:
        name = portrait.picture
        centre = np.array(portrait.centre) * pictures[name].shape[1] / whole[name].shape[1]
        return min(faces[name], key=lambda face: float(np.abs(_centre(face) - centre).sum()))

    students: dict[str, Student] = {}
    for person in ENROLLED + STRANGERS:
        seen = person.seen or person.photos[0]
        photos = person.photos or (seen,)
        student = students[person.name] = Student([at(photo).encoding for photo in photos])
        student.shown.append(_cut(pictures[seen.picture], at(seen), mirrored=seen in photos))
    for name, found in faces.items():
        if name.startswith("enrol/"):
            _enrol(students, name.split("/")[1], found[0], rules)
    others = []
    for name, found in faces.items():
        if not name.startswith(("probe/", _CLIP)):
            continue
        for face in found:
            own = min(students, key=lambda who: _apart(face, students[who]))
            apart = _apart(face, students[own])
            if rules.same_picture < apart <= rules.threshold and _stands_alone(face, everything[name]):
                students[own].shown.append(_cut(pictures[name], face))
            elif apart > rules.unlike_own and not name.startswith(_CLIP):
                # In the clip one person is many faces.
                others.append(face.encoding[None])
    return list(students.values()), others


def _enrol(students: dict[str, Student], name: str, face: Face, rules: MatchingRules) -> None:
    """Enrol a student of the folder beside the repository, who may be one of the demo."""
    known = min(students, key=lambda who: _apart(face, students[who]))
    apart = _apart(face, students[known])
    if apart > rules.threshold:
        students[name] = Student([face.encoding])
    elif apart > rules.same_picture:
        students[known].enrolled.append(face.encoding)


def _centre(face: Face) -> NDArray[np.float32]:
    middle: NDArray[np.float32] = (face.box[:2] + face.box[2:]) / 2
    return middle


def _width(face: Face) -> float:
    return float(face.box[2] - face.box[0])


def _apart(face: Face, student: Student) -> float:
    return min(float(np.linalg.norm(face.encoding - own)) for own in student.enrolled)


def _stands_alone(face: Face, found: Sequence[Face]) -> bool:
    """Whether nobody else is to be seen in what is cut out around a face."""
    reach = _ROOM[0] * _width(face)
    near = [np.abs(_centre(other) - _centre(face)).max() < reach + _width(other) / 2 for other in found]
    return sum(near) == 1


def _cut(picture: Image, face: Face, *, mirrored: bool = False) -> Cutting:
    """A face with what is around it; beyond the picture its edge goes on."""
    width, (x, y) = _width(face), _centre(face).tolist()
    around, below = (round(share * width) for share in _ROOM)
    room = around + 1
    wide = cv2.copyMakeBorder(picture, room, room, room, room, cv2.BORDER_REPLICATE)
    left, top = round(x) - around + room, round(y) - around + room
    cut = np.asarray(wide[top : top + around + below, left : left + 2 * around], np.uint8)
    return Cutting(np.ascontiguousarray(cut[:, ::-1] if mirrored else cut), width, (around, around))


def _draw(people: Sequence[NDArray[np.float32]], count: int) -> list[NDArray[np.float32]]:
    """Photos of people drawn at random, as far from the given ones as those are from each other, on average."""
    random = np.random.default_rng(0)
    middles = _of_length_one(np.stack([one.mean(axis=0) for one in people]))
    cosines = middles @ middles.T
    usual = cosines[~np.eye(len(middles), dtype=bool)].mean()
    common = middles.mean(axis=0)
    # Along the common direction so far that the mean cosine with the given people is the usual one.
    along = usual / np.linalg.norm(common)
    directions = random.standard_normal((count, len(common)))
    directions -= np.outer(directions @ common, common) / (common @ common)
    drawn = along * common / np.linalg.norm(common) + np.sqrt(1 - along**2) * _of_length_one(directions)
    noise = random.standard_normal((count, _PHOTOS, len(common))) * OPENCV.usual_distance / np.sqrt(2 * len(common))
    return [*_of_length_one(drawn[:, None] + noise).astype(np.float32)]


def _of_length_one(encodings: NDArray[Any]) -> NDArray[Any]:
    return np.asarray(encodings / np.linalg.norm(encodings, axis=-1, keepdims=True))


def _matcher(engine: FaceEngine, roster: dict[str, NDArray[np.float32]], rules: MatchingRules) -> Matcher:
    info = engine.info
    return Matcher(Gallery.from_encodings(roster, model=info.model, encoding_size=info.encoding_size), rules)


def _hall(faces: Sequence[tuple[str, Cutting]], first: int) -> tuple[list[str], Hall]:
    """Who sits where, and the hall; faces that are smaller than a place needs are passed over there."""
    chosen = []
    turn = first
    for width in WIDTHS:
        while faces[turn % len(faces)][1].width < width:
            turn += 1
        chosen.append(faces[turn % len(faces)])
        turn += 1
    hall = seat((cutting for _, cutting in chosen), seed=first)
    noisy = hall.frame + np.random.default_rng(first).normal(0, _NOISE, hall.frame.shape)
    bgr = np.clip(noisy, 0, 255).astype(np.uint8)[:, :, ::-1]
    _, jpeg = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])
    frame = np.ascontiguousarray(cv2.imdecode(jpeg, cv2.IMREAD_COLOR)[:, :, ::-1])
    return [name for name, _ in chosen], Hall(np.asarray(frame, np.uint8), hall.centres)


def _count(outcome: Outcome, hall: Hall, names: list[str], found: list[Face], judges: Judges) -> None:
    for width in WIDTHS:
        _size(outcome, width).shown += 1
    shown = shown_by(hall, np.array([face.box for face in found]).reshape(-1, 4))
    for face, place, match in zip(found, shown, _decide(judges.everybody, found, judges.rules), strict=True):
        own = names[place] if place >= 0 else None
        outcome.no_faces += own is None
        outcome.false_names += match not in (None, own)
        if own is None:
            continue
        size = _size(outcome, WIDTHS[place])
        size.found += 1
        size.named += match == own
        (stranger,) = _decide(judges.without[own], [face], judges.rules)
        outcome.strangers += 1
        outcome.strangers_named += stranger is not None


def _decide(matcher: Matcher, faces: Sequence[Face], rules: MatchingRules) -> list[str | None]:
    """Whom the service takes each face for among its roster, which is everybody; None: nobody."""
    if not faces:
        return []
    matches = matcher.match(np.stack([face.encoding for face in faces]), frozenset(matcher.gallery.identities))
    return [None if is_too_small(face, rules) else one.student for face, one in zip(faces, matches, strict=True)]


def _size(outcome: Outcome, width: int) -> Size:
    return outcome.sizes[max(start for start in outcome.sizes if start <= width)]


def main() -> None:
    """Print what `measure` counts."""
    measured = measure(OpenCvEngine(), MatchingSettings().rules(Family.OPENCV))
    print(f"{measured['people']} people ({measured['pictures']} pictures), {measured['halls']} halls of {FACES} faces")
    print("\n".join(lines(measured)))


if __name__ == "__main__":
    main()
