"""Families of face models, and every number that depends on the family: the one table of distances and sizes.

A distance is Euclidean, between two encodings; what is near depends on the model that made them. dlib's encodings have
a length of about 1.4, and two of one person are usually nearer than 0.6. SFace's (family opencv) are of length one, so
that strangers lie about 1.4 apart. Encodings of two families are never compared.

A size is the width of a face's box in pixels of the frame or photo.

The settings that override some of these numbers are in `matching.py`. A test fails on a distance that stands anywhere
else in the product.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum

from attendance.errors import AttendanceError

DLIB_MODEL = "dlib-resnet-v1"
"""face_recognition's encoder, as the face engine names it. A store that names no model was made with it."""
SFACE_MODEL = "sface-2021dec"
"""The encoder of family opencv, as the face engine names it."""


class FamilyError(AttendanceError):
    """Families that do not go together, or a family whose distances nobody set; the message says what to do."""


class Family(StrEnum):
    """Which models find and encode faces."""

    DLIB = "dlib"
    """dlib's detector and ResNet: what a pickle of face_recognition holds."""
    OPENCV = "opencv"
    """YuNet and SFace of the OpenCV Zoo."""
    CUSTOM = "custom"
    """A model of one's own (`engine.embedding`)."""


def family_of(model: str) -> Family:
    """The family of an embedding model, by the name under which galleries remember it."""
    return {DLIB_MODEL: Family.DLIB, SFACE_MODEL: Family.OPENCV}.get(model, Family.CUSTOM)


@dataclass(frozen=True, slots=True, kw_only=True)
class FamilyNumbers:
    """What depends on the models."""

    family: Family

    threshold: float
    """Largest distance at which a face may be a student of the roster."""
    campus_threshold: float
    """The same for a search among all enrolled students."""
    margin: float
    """How much nearer the best student must be than the runner-up."""
    vote_span: float
    """A face nearer than the threshold by this much is one whole vote."""
    rejoin_distance: float
    """Largest distance at which faces of one stream are one person wherever they appear."""

    same_face: float
    """Largest distance of one face in two frames at nearly the same place."""
    new_look: float
    """An encoding at least this far from those that a track remembers says something new."""

    same_picture: float
    """Below it two encodings are of one picture, cut or stored anew."""
    like_another: float
    """Below it a photo of another student is probably of the same person: one of the two is mislabelled."""
    doubtfully_like_another: float
    """Below it two students could be taken for each other in a room."""
    unlike_own: float
    """From it on two photos are of two people."""
    smallest_deviation: float
    """Least median absolute deviation of one student's photos: those of one sitting differ so little that any other
    would be an outlier among them."""
    same_encoding: float
    """Below it two encodings are of one file, encoded twice."""
    usual_distance: float
    """How far apart two photos of one person usually are."""

    smallest_named: float
    """Pixels; smaller faces are counted, and never named."""
    smallest_sought: int
    """Pixels; faces from here on are looked for in cameras' frames where no setting says otherwise, to be counted."""
    clear_width: float
    """Pixels from which a face's vote counts in full."""
    clear_sharpness: float
    """Sharpness from which it does: variance of the Laplacian of the aligned face."""
    photo_score: float
    """The detector's score, on its own scale, from which what it found in an enrolment photo counts as a face."""
    photo_width: tuple[float, float, float]
    """Pixels of the face in an enrolment photo: the least, to where there are doubts, and where nothing is left to wish
    for."""
    photo_sharpness: tuple[float, float, float]
    """Sharpness of an enrolment photo, the same three."""

    shown: tuple[float, ...]
    """Thresholds of a calibration's table, about those that are ever chosen."""


DLIB = FamilyNumbers(
    family=Family.DLIB,
    threshold=0.55,  # 0.6 is face_recognition's tolerance for two pictures; for a whole class at once it is too loose
    campus_threshold=0.5,
    margin=0.04,
    vote_span=0.05,
    rejoin_distance=0.45,
    # The distance at which the model tells pairs of the Labeled Faces in the Wild apart best
    # (dlib, dnn_face_recognition_ex.cpp).
    same_face=0.6,
    new_look=0.2,
    same_picture=0.15,  # such pairs of the tests' faces reach 0.134, while two pictures of one person start at 0.2
    like_another=0.4,
    doubtfully_like_another=0.5,  # as the campus search
    unlike_own=0.6,  # dlib's author gives it (99.38 % on LFW), and face_recognition takes it as its tolerance
    smallest_deviation=0.02,
    same_encoding=0.001,
    usual_distance=0.35,  # see docs/performance.md
    # The smallest size at which at most one of 31 faces was farther than the threshold from its own photo at full size;
    # at 22 pixels 5 were, at 20 8 (`python -m benchmarks.family_sizes`).
    smallest_named=24.0,
    # What doubling a frame once finds; doubling it twice, for those from 24 on, would cost four times as much.
    smallest_sought=36,
    # The encoder takes 150 pixels; unblurred faces of 57 were found 0.11 to 0.17 from the same photo at full size,
    # those of 39 pixels 0.20 to 0.26, so that their vote is worth two thirds.
    clear_width=60.0,
    clear_sharpness=10.0,  # see the table in recognition_service/evidence/clearness.py
    photo_score=0.0,  # the detector's own threshold
    photo_width=(60.0, 75.0, 150.0),  # a chip of 150 shows one and a half times the box: less would be invented
    photo_sharpness=(12.0, 25.0, 100.0),
    shown=(0.35, 0.4, 0.45, 0.475, 0.5, 0.525, 0.55, 0.575, 0.6, 0.65, 0.7),
)

# SFace. Rates of strangers are those of `python -m benchmarks.families`: counted on 4,943 pairs of a hundred faces of
# 20 pixels, and read off the curve that fits them and the larger faces of thirteen people. By it false matches become
# ten times rarer in 0.05 (large faces) to 0.06 (small ones), as with dlib in 0.054 to 0.07; at 1.10 ten of the
# small pairs matched, at 1.07 two. An earlier measurement, on 14,672 pairs of photos of about 60 people that cannot be
# published, gave at 1.10 a false match rate of 0.014 % and 1.6 % misses, and at 1.128 0.1 % and 0.8 %.
OPENCV = FamilyNumbers(
    family=Family.OPENCV,
    # In made-up halls, single frames gave 18 of 832 strangers a name at 1.10 and one at 1.07, which loses one person of
    # 20 to 23 pixels (`python -m benchmarks.hall_naming`).
    threshold=1.07,
    campus_threshold=1.02,  # ten times rarer, as with dlib's 0.5
    margin=0.04,
    vote_span=0.05,  # ten times rarer, as with dlib's
    # As much rarer as with dlib's 0.45, 30 to 100 times: two people who are joined hinder each other's confirmation.
    rejoin_distance=0.98,
    same_face=1.128,  # the distance at which OpenCV's FaceRecognizerSF says "same identity"
    new_look=0.4,  # the same share of the threshold as dlib's
    same_picture=0.3,  # copies of the tests' faces reach 0.19, while two pictures of one person start at 0.45
    like_another=0.95,  # 170 to 500 times rarer, dlib's 0.4 280 to 1,500; none of the pairs was so near
    doubtfully_like_another=1.02,  # as the campus search
    unlike_own=1.16,  # a little beyond 1.128: 99.7 % of pairs of one person are nearer
    smallest_deviation=0.04,
    same_encoding=0.02,  # of one arithmetic; from fp32 to bf16 encodings move by up to 0.09
    usual_distance=0.75,  # the median of the tests' faces
    # Of 32 faces none was missed at 20 and at 18 pixels, 2 at 16, 5 at 14, and none of 876 pairs of two people matched
    # falsely at any size. But of people who are both 20 pixels wide 0.2 % do (`python -m benchmarks.families`), and
    # below nobody has counted. In made-up rooms of 82 faces 60 % or more were named rightly from 20 pixels on, none
    # wrongly.
    smallest_named=20.0,
    # Searched half as large again: in frames as they are 68 of 84 faces of 14 to 19 pixels were found, so scaled 77,
    # and of 20 to 23 pixels three of 42 more were named (`python -m benchmarks.hall_naming`).
    smallest_sought=14,
    # Of genuine pairs of 40 pixels 97 % are found at a false match rate of 0.1 %, of 24 pixels 80 %: dlib's finds 85 %
    # of 40 pixels, whose vote is worth two thirds.
    clear_width=40.0,
    # The chips of 112 pixels are three times as sharp, by this measure, as dlib's of the same faces, and from 30 on the
    # encoding keeps as far within the threshold as dlib's from 10 on (the same benchmark).
    clear_sharpness=30.0,
    # At 0.3, down to which frames are searched, hands and flags are found too; faces of enrolment photos have 0.89 or
    # more, what is none at most 0.59.
    photo_score=0.7,
    photo_width=(48.0, 60.0, 112.0),  # the encoder takes 112 pixels, and the box fills most of them
    photo_sharpness=(36.0, 75.0, 300.0),  # three times dlib's
    shown=(0.8, 0.9, 0.95, 1.0, 1.02, 1.045, 1.07, 1.1, 1.128, 1.15, 1.175, 1.2, 1.25),
)

BUILT_IN: Mapping[Family, FamilyNumbers] = {Family.DLIB: DLIB, Family.OPENCV: OPENCV}
"""The families whose numbers are known; of a model of one's own nobody knows them."""

CALIBRATION_STEP = 0.005
"""Between the thresholds at which a calibration knows rates: encodings of one face in two pictures differ by far more
with any family."""
FARTHEST = 2.0
"""The farthest that two encodings of length one can be apart; dlib's are never so far either."""

_DISTANCES = (
    "threshold", "campus_threshold", "margin", "vote_span", "rejoin_distance", "same_face", "new_look", "same_picture",
    "like_another", "doubtfully_like_another", "unlike_own", "smallest_deviation", "same_encoding", "usual_distance",
)  # fmt: skip


def custom_numbers(threshold: float) -> FamilyNumbers:
    """The numbers of a model of one's own: dlib's, with distances in proportion to the threshold.

    Args:
        threshold: at which it matches faces within a roster.
    """
    scale = threshold / DLIB.threshold
    scaled = {name: scale * getattr(DLIB, name) for name in _DISTANCES}
    shown = tuple(round(scale * at, 3) for at in DLIB.shown)
    return replace(DLIB, family=Family.CUSTOM, shown=shown, **scaled)


@dataclass(frozen=True, slots=True)
class FamilyTraits:
    """What a gallery is told of the model that made its encodings."""

    family: str
    usual_distance: float


def traits_of(model: str) -> FamilyTraits:
    """What a gallery is told of a model, by its name.

    Of a model of one's own the usual distance is SFace's: its encodings are of length one, too.
    """
    family = family_of(model)
    return FamilyTraits(family.value, BUILT_IN.get(family, OPENCV).usual_distance)
