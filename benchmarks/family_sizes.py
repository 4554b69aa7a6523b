"""`python -m benchmarks.family_sizes`: what becomes of faces of each size, with each family of models.

Real faces are scaled down, given a sensor's noise and compressed as a camera does. Printed for each width: how many
are found, how far they are from the same face at full size, how many are farther than the family's threshold (misses),
how many come nearer than that to somebody else's photo (false matches), and their sharpness. The smallest face named,
and from what on a vote counts in full, in `attendance.settings.families` rest on it.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from accuracy.comparison.small_faces import scale_down
from attendance.face_engine.faces import find_faces
from attendance.face_engine.factory import create_engine
from attendance.face_engine.images import decode_image
from attendance.face_engine.interface import Face, FaceEngine, Image
from attendance.settings.families import BUILT_IN, Family, FamilyNumbers
from benchmarks.pictures import face_pictures, shrink

WIDTHS = (12, 14, 16, 18, 20, 22, 24, 28, 32, 40, 50, 60, 80, 120)
_LARGEST = 2_500_000


@dataclass(frozen=True, slots=True, eq=False)
class Original:
    """A face at full size, in its picture."""

    image: Image
    face: Face
    person: int

    @property
    def width(self) -> float:
        """Pixels, of the face's box."""
        return _width(self.face)


def originals(engine: FaceEngine, numbers: FamilyNumbers) -> list[Original]:
    """Every face that is surely one; those nearer than the threshold to another are one person."""
    found: list[Original] = []
    for name, picture in face_pictures().items():
        if name.startswith("clip"):
            continue
        image = shrink(picture, _LARGEST)
        (faces,) = find_faces(engine, [image], upsample=0)
        for face in faces:
            if face.score >= numbers.photo_score and face.box[2] - face.box[0] >= numbers.photo_width[0]:
                same = [one.person for one in found if _apart(one.face.encoding, face) <= numbers.threshold]
                found.append(Original(image, face, [*same, len(found)][0]))
    return found


def _width(face: Face) -> float:
    return float(face.box[2] - face.box[0])


def _apart(encoding: NDArray[np.float32], face: Face) -> float:
    return float(np.linalg.norm(encoding - face.encoding))


def rows(engine: FaceEngine, faces: Sequence[Original], numbers: FamilyNumbers) -> Iterator[str]:
    """A line for each width."""
    gallery = np.stack([original.face.encoding for original in faces])
    people = np.array([face.person for face in faces])
    for width in WIDTHS:
        shown, own, others, sharp = 0, [], [], []
        for face in faces:
            small = scale_down(face.image, face.face, width, np.random.default_rng(width))
            if small is None:
                continue
            shown += 1
            frame = decode_image(small.jpeg, max_pixels=_LARGEST)
            (found,) = find_faces(engine, [frame], upsample=2 if width < 40 else 1)
            if not found:
                continue
            best = max(found, key=_width)
            apart = np.linalg.norm(gallery - best.encoding, axis=1)
            own.append(_apart(face.face.encoding, best))
            others.append(apart[people != face.person])
            sharp.append(best.sharpness)
        if not own:
            yield f"{width:>5}  {shown:>5}  {0:>5}"
            continue
        apart = np.concatenate(others)
        yield (
            f"{width:>5}  {shown:>5}  {len(own):>5}  {np.median(own):>6.2f}  {max(own):>7.2f}  "
            f"{sum(one > numbers.threshold for one in own):>6}  "
            f"{int((apart <= numbers.threshold).sum()):>5} of {len(apart):<6} {np.median(sharp):>6.0f}"
        )


def main() -> None:
    """Print the tables."""
    for family in (Family.DLIB, Family.OPENCV):
        numbers = BUILT_IN[family]
        engine = create_engine(
            name="accelerated", models=family.value, detector="cnn", upsample=0, max_pixels=64_000_000
        )
        faces = originals(engine, numbers)
        people = len({face.person for face in faces})
        print(f"\n{family}, threshold {numbers.threshold:g}: {len(faces)} faces of {people} people")
        print("width  faces  found  median  largest  missed  false matches   sharpness")
        for line in rows(engine, faces, numbers):
            print(line)
        engine.close()


if __name__ == "__main__":
    main()
