"""How good a photo of a face is for enrolment: what is measured, and where the bounds are.

Bounds were chosen by looking at the faces of this project's tests (portraits, a group picture, a film's frames), so
that every photo that a registrar would take passes and frames that nobody would enrol do not. ISO/IEC 29794-5 names the
same properties; its bounds are for passports and would refuse most photos that students have.

Eyes are judged from the corners that the engine's five landmarks give, and from the pixels between them. The eye aspect
ratio (Soukupova & Cech, CVWW 2016) needs the eyelids' landmarks. dlib's predictor that has them was trained on pictures
whose terms exclude commercial use, and its ratio told the open eyes of these faces (0.11 to 0.50) from the same eyes
closed by warping the picture (0.10 to 0.46) no better than chance. What is measured here instead catches some closed
eyes, not all: it errs towards taking a photo, since narrow eyes are not closed ones.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from attendance.face_engine.interface import Face, Image
from attendance.settings.families import FamilyNumbers
from index_builder.photos.verdicts import PhotoOutcome

# ITU-R BT.601 luma.
_LUMA = np.array([0.299, 0.587, 0.114], np.float32)
# dlib's five points: outer and inner corner of the eye on the picture's right, of that on its left, base of the nose.
_OUTER_RIGHT, _INNER_RIGHT, _OUTER_LEFT, _INNER_LEFT, _NOSE = range(5)
_LANDMARKS = 5
_PITCH_OF_MEAN_FACE = 0.55
"""Of `encoding.alignment.DLIB_FACE`: the nose's base below the eyes, as a share of the outer corners' distance."""
# The base of the nose stands some 25 mm before the inner corners of the eyes, whose outer ones are some 90 mm apart
# (Farkas, "Anthropometry of the Head and Face", 1994): its shift is this share of it, times the turn's tangent.
_NOSE_DEPTH = 0.27

_EYE_WIDTH = 48
_EYE_HEIGHT = 48
_EYE_MARGIN = 8
_STRIP = 9
"""Columns over which an eye's darkness is averaged: about the width of a pupil."""


@dataclass(frozen=True, slots=True)
class FaceMeasures:
    """What is measured of the face in a photo."""

    width: float
    """Of the face's box, pixels."""
    highlights: float
    """Luma that 5 % of the face are brighter than, 0 to 255. Unlike the mean it is high for dark skin in good light."""
    shadows: float
    """Luma that 5 % of the face are darker than."""
    sharpness: float
    """Variance of the Laplacian of the chip (Pech-Pacheco et al., ICPR 2000)."""
    yaw: float
    """How far the head is turned to a side, degrees; about."""
    tilt: float
    """How far the base of the nose is from where it is in a level face, up or down, as a share of the distance of the
    outer corners of the eyes."""
    openness: float
    """Height of the dark band between the corners of the wider open eye, as a share of the eye's width."""


def measure_face(image: Image, face: Face) -> FaceMeasures:
    """Measure a face.

    Args:
        image: RGB, uint8, the picture in which the engine found the face.
        face: what it found.
    """
    left, top, right, bottom = (round(float(edge)) for edge in face.box)
    inside = image[max(top, 0) : max(bottom, 1), max(left, 0) : max(right, 1)]
    grey = inside.reshape(-1, 3) @ _LUMA if inside.size else np.zeros(1, np.float32)
    shadows, highlights = np.percentile(grey, (5, 95))
    yaw, tilt = _pose(face.landmarks.astype(np.float64))
    return FaceMeasures(
        width=float(face.box[2] - face.box[0]),
        highlights=float(highlights),
        shadows=float(shadows),
        sharpness=face.sharpness,
        yaw=yaw,
        tilt=tilt,
        openness=_openness(image, face.landmarks.astype(np.float64)),
    )


def _pose(points: NDArray[np.float64]) -> tuple[float, float]:
    """Yaw in degrees, and the tilt."""
    if len(points) != _LANDMARKS:
        return 0.0, 0.0
    across = (points[_OUTER_RIGHT] + points[_INNER_RIGHT] - points[_OUTER_LEFT] - points[_INNER_LEFT]) / 2
    across /= max(float(np.hypot(*across)), 1e-9)
    down = np.array([-across[1], across[0]])
    width = max(float((points[_OUTER_RIGHT] - points[_OUTER_LEFT]) @ across), 1.0)
    between = (points[_INNER_LEFT] + points[_INNER_RIGHT]) / 2
    shift = float((points[_NOSE] - between) @ across) / width
    drop = float((points[_NOSE] - points[:_NOSE].mean(axis=0)) @ down) / width
    return float(np.degrees(np.arctan(shift / _NOSE_DEPTH))), drop - _PITCH_OF_MEAN_FACE


def _openness(image: Image, points: NDArray[np.float64]) -> float:
    if len(points) != _LANDMARKS:
        return 1.0
    left = _height_of_dark_band(image, points[_OUTER_LEFT], points[_INNER_LEFT])
    right = _height_of_dark_band(image, points[_INNER_RIGHT], points[_OUTER_RIGHT])
    return max(left, right)


def _height_of_dark_band(image: Image, start: NDArray[np.float64], end: NDArray[np.float64]) -> float:
    """How high the dark of the iris and pupil reaches at half its depth, as a share of the eye's width.

    An open eye shows a third of its width or more; lashes on a closed one are a thin line.
    """
    across = end - start
    width = max(float(np.hypot(*across)), 1.0)
    cosine, sine = across / width
    scale = _EYE_WIDTH / width
    turn = scale * np.array([[cosine, sine], [-sine, cosine]])
    shift = np.array([_EYE_WIDTH / 2 + _EYE_MARGIN, _EYE_HEIGHT / 2]) - turn @ ((start + end) / 2)
    size = (_EYE_WIDTH + 2 * _EYE_MARGIN, _EYE_HEIGHT)
    patch = cv2.warpAffine(image, np.column_stack([turn, shift]), size, flags=cv2.INTER_LINEAR)
    grey = cv2.GaussianBlur(np.asarray(patch, np.float32) @ _LUMA, (0, 0), 1.2)
    # Where on the eye's middle the pupil is: the darkest strip.
    first, last = _EYE_MARGIN + _STRIP, _EYE_MARGIN + _EYE_WIDTH - 2 * _STRIP
    strips = np.stack([grey[:, column : column + _STRIP].mean(axis=1) for column in range(first, last)])
    quarter = _EYE_HEIGHT // 4
    profile = strips[strips[:, quarter:-quarter].min(axis=1).argmin()]
    darkest = quarter + int(profile[quarter:-quarter].argmin())
    bright = profile >= (profile[darkest] + np.percentile(profile, 80)) / 2
    above = np.flatnonzero(bright[:darkest])
    below = np.flatnonzero(bright[darkest:])
    top = int(above[-1]) if len(above) else 0
    bottom = darkest + int(below[0]) if len(below) else _EYE_HEIGHT
    return (bottom - top) / _EYE_WIDTH


@dataclass(frozen=True, slots=True)
class _Property:
    """One property of a photo, and its bounds: from `refused` on it is no good, to `doubtful` it is doubtful."""

    outcome: PhotoOutcome
    value: Callable[[FaceMeasures], float]
    refused: float
    doubtful: float
    good: float
    sentence: Callable[[FaceMeasures], str]

    def score(self, measures: FaceMeasures) -> float:
        """0 where it is refused, 0.5 where doubts end, 1 where nothing is left to wish for."""
        points = np.array([self.refused, self.doubtful, self.good])
        sign = 1.0 if self.good > self.refused else -1.0
        return float(np.interp(sign * self.value(measures), sign * points, (0.0, 0.5, 1.0)))


# The comment after each line says what the faces of good photos here have.
def _properties(numbers: FamilyNumbers) -> Sequence[_Property]:
    """How large and how sharp a face must be depends on what its encoder takes; the others are the same for all."""
    smallest, sharp = numbers.photo_width[0], numbers.photo_sharpness
    return (
        _Property(  # 62 to 462
            PhotoOutcome.TOO_SMALL,
            lambda face: face.width,
            smallest - 1,
            *numbers.photo_width[1:],
            lambda face: f"the face is {face.width:.0f} pixels wide; {smallest:.0f} are needed",
        ),
        *_LIGHT,
        _Property(  # 30 (enlarged from half the size) to 1241; blurred frames 2
            PhotoOutcome.BLURRED,
            lambda face: face.sharpness,
            *sharp,
            lambda face: (
                f"sharpness {face.sharpness:.0f}; {sharp[0]:.0f} is needed, and {sharp[2]:.0f} is good: "
                "hold the camera still and near"
            ),
        ),
        *_POSE,
    )


_LIGHT: Sequence[_Property] = (
    _Property(  # 141 to 230; dark frames 65 to 69
        PhotoOutcome.TOO_DARK,
        lambda face: face.highlights,
        80,
        110,
        150,
        lambda face: f"the brightest parts of the face have {face.highlights:.0f} of 255: take it in better light",
    ),
    _Property(  # 6 to 97
        PhotoOutcome.TOO_BRIGHT,
        lambda face: face.shadows,
        170,
        140,
        110,
        lambda face: f"the darkest parts of the face have {face.shadows:.0f} of 255: take it in softer light",
    ),
    _Property(  # 105 to 216; dark frames 49 to 60
        PhotoOutcome.LOW_CONTRAST,
        lambda face: face.highlights - face.shadows,
        35,
        60,
        90,
        lambda face: f"the face's tones span {face.highlights - face.shadows:.0f} of 255: it is foggy or veiled",
    ),
)
_POSE: Sequence[_Property] = (
    _Property(  # 0 to 41
        PhotoOutcome.TURNED_AWAY,
        lambda face: abs(face.yaw),
        50,
        30,
        10,
        lambda face: f"the head is turned about {abs(face.yaw):.0f} degrees to the side: look into the camera",
    ),
    _Property(  # -0.15 to 0.38
        PhotoOutcome.TURNED_AWAY,
        lambda face: abs(face.tilt),
        0.45,
        0.22,
        0.08,
        lambda _: "the head is tilted up or down: hold the camera at the height of the eyes",
    ),
    _Property(  # 0.21 to 0.58; closed by warping 0.12 to 0.21
        PhotoOutcome.EYES_CLOSED,
        lambda face: face.openness,
        0.16,
        0.19,
        0.25,
        lambda _: "no open eye is seen",
    ),
)


def judge_quality(measures: FaceMeasures, numbers: FamilyNumbers) -> tuple[PhotoOutcome, str, float]:
    """Judge what was measured.

    Args:
        measures: of `measure_face`.
        numbers: of the models that found and cut the face.

    Returns:
        OK, DOUBTFUL or the property for which the photo is no good; a clause that says why, for people; and the
        quality, 0 to 1: that of the worst property, so that below 0.5 there are doubts and at 0 it is refused.
    """
    properties = _properties(numbers)
    scores = [(item.score(measures), place) for place, item in enumerate(properties)]
    refused = [place for score, place in scores if score <= 0]
    if refused:
        worst = properties[refused[0]]
        return worst.outcome, worst.sentence(measures), 0.0
    quality, place = min(scores)
    if quality < 0.5:  # see `_Property.score`
        worst = properties[place]
        return PhotoOutcome.DOUBTFUL, f"nearly {worst.outcome}: {worst.sentence(measures)}", quality
    return PhotoOutcome.OK, "", quality
