"""Families of models: one table of what depends on them, settings that override it, and no distance anywhere else."""

import ast
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest

from attendance.face_engine.models.opencv_files import SFACE_MODEL as SFACE_OF_THE_ENGINE
from attendance.face_engine.models.weights import ENCODER_MODEL
from attendance.gallery.store import DEFAULT_MODEL
from attendance.settings import Settings, SettingsError, load_settings
from attendance.settings.families import (
    BUILT_IN,
    DLIB,
    DLIB_MODEL,
    OPENCV,
    SFACE_MODEL,
    Family,
    FamilyError,
    FamilyNumbers,
    custom_numbers,
    family_of,
    traits_of,
)

ROOT = Path(__file__).parents[3]
PRODUCT = (
    "accuracy",
    "attendance",
    "camera_client",
    "deploy",
    "index_builder",
    "operations",
    "recognition_service",
    "webapp",
)
TABLE = ROOT / "attendance" / "settings" / "families.py"

SUSPICIOUS = ("threshold", "distance", "margin", "same_face", "same_picture", "unlike", "like_", "rejoin", "new_look",
              "vote_span", "smallest_face", "smallest_named", "encoding", "apart")  # fmt: skip
"""Parts of the names of what may be a distance between encodings, or depend on one."""

NO_DISTANCES = {
    ("attendance/face_engine/detection/yunet_refinement.py", "MARGIN"): "of a detector's scores",
    ("attendance/gallery/layouts.py", "_LARGEST_NUMBER"): "beyond what float32 squares: of no model",
}
"""Constants with such a name, or such a value, that are none, and why."""

VALUES = frozenset({0.55, 0.45, 0.35, 1.07, 1.02, 1.128, 1.16})
"""Distances of the table that are hardly anything else; 0.5, 0.6, 0.75 and the like are everything."""

OTHER_VALUES = {
    ("accuracy/statistics/plots.py", 1.02): "the upper end of an axis of shares",
    ("index_builder/photos/judging.py", 0.45): "room around a thumbnail, a share of the box",
    ("index_builder/photos/quality.py", 0.45): "tilt of a head, a share of the eyes' distance",
    ("index_builder/photos/quality.py", 0.55): "shape of dlib's mean face",
    ("recognition_service/aiming/shots.py", 0.45): "size of letters",
}
"""Numbers of the product that are such a value and no distance, and why."""


def test_the_families_of_models_are_told_by_name() -> None:
    assert family_of(DLIB_MODEL) is Family.DLIB
    assert family_of(SFACE_MODEL) is Family.OPENCV
    assert family_of("w600k_r50-4c06341c33c2") is Family.CUSTOM


def test_all_rooms_name_the_models_alike() -> None:
    assert DLIB_MODEL == ENCODER_MODEL == DEFAULT_MODEL
    assert SFACE_MODEL == SFACE_OF_THE_ENGINE


@pytest.mark.parametrize("numbers", [DLIB, OPENCV, custom_numbers(1.1)], ids=lambda numbers: numbers.family)
def test_the_numbers_of_a_family_fit_each_other(numbers: FamilyNumbers) -> None:
    assert numbers.same_encoding < numbers.same_picture < numbers.like_another < numbers.doubtfully_like_another
    assert numbers.doubtfully_like_another <= numbers.campus_threshold < numbers.threshold < numbers.unlike_own
    assert numbers.rejoin_distance < numbers.threshold < numbers.same_face
    assert numbers.same_picture < numbers.usual_distance < numbers.threshold
    assert 0 < numbers.vote_span < numbers.threshold
    assert numbers.threshold in numbers.shown
    assert numbers.smallest_named < numbers.clear_width
    assert sorted(numbers.photo_width) == list(numbers.photo_width)
    assert sorted(numbers.photo_sharpness) == list(numbers.photo_sharpness)


def test_flat_keys_mean_dlib_and_no_other_family() -> None:
    settings = load_settings({"ATTENDANCE_MATCHING_THRESHOLD": "0.5", "ATTENDANCE_MATCHING_MARGIN": "0.06"}).matching
    assert settings.numbers(Family.DLIB) == replace(DLIB, threshold=0.5, margin=0.06)
    assert settings.numbers(Family.OPENCV) == OPENCV
    assert settings.former_names() == {"threshold": 0.5, "margin": 0.06}


def test_distances_of_a_family_are_set_in_its_section(tmp_path: Path) -> None:
    path = tmp_path / "attendance.toml"
    path.write_text(
        "[matching]\nconfirm_frames = 4\n[matching.opencv]\nthreshold = 1.05\n[matching.dlib]\nmargin = 0.1\n"
    )
    environ = {"ATTENDANCE_CONFIG": str(path), "ATTENDANCE_MATCHING_OPENCV_VOTE_SPAN": "0.03"}
    settings = load_settings(environ).matching
    assert settings.numbers(Family.OPENCV) == replace(OPENCV, threshold=1.05, vote_span=0.03)
    assert settings.numbers(Family.DLIB) == replace(DLIB, margin=0.1)
    rules = settings.rules(Family.OPENCV)
    assert (rules.threshold, rules.confirm_frames, rules.smallest_named) == (1.05, 4, OPENCV.smallest_named)


@pytest.mark.parametrize("key", ["threshold", "campus_threshold", "margin", "vote_span", "rejoin_distance"])
def test_a_distance_that_is_set_by_both_names_is_an_error(key: str) -> None:
    environ = {f"ATTENDANCE_MATCHING_{key.upper()}": "0.5", f"ATTENDANCE_MATCHING_DLIB_{key.upper()}": "0.5"}
    with pytest.raises(SettingsError, match=rf"matching\.{key} is the former name of matching\.dlib\.{key}"):
        load_settings(environ)
    environ = {f"ATTENDANCE_MATCHING_{key.upper()}": "0.5", f"ATTENDANCE_MATCHING_OPENCV_{key.upper()}": "0.5"}
    assert getattr(load_settings(environ).matching.opencv, key) == 0.5


@pytest.mark.parametrize(
    ("variable", "value", "says"),
    [
        ("ATTENDANCE_MATCHING_OPENCV_THRESHOLD", "far", "valid number"),
        ("ATTENDANCE_MATCHING_OPENCV_THRESHOLD", "2.5", "less than or equal to 2"),
        ("ATTENDANCE_MATCHING_OPENCV_TRESHOLD", "1", "unknown setting"),
        ("ATTENDANCE_MATCHING_OPENCV_CONFIRM_FRAMES", "3", "unknown setting"),
        ("ATTENDANCE_MATCHING_CUSTOM_MARGIN", "-1", "greater than or equal to 0"),
        ("ATTENDANCE_MATCHING_YUNET_THRESHOLD", "1", "unknown setting"),
    ],
)
def test_a_wrong_distance_is_named_in_full(variable: str, value: str, says: str) -> None:
    with pytest.raises(SettingsError, match=f"^{variable}: ") as caught:
        load_settings({variable: value})
    assert says in str(caught.value)


def test_a_model_of_ones_own_needs_a_threshold() -> None:
    with pytest.raises(FamilyError, match=r"set matching\.custom\.threshold.*attendance calibrate"):
        Settings().matching.numbers_of("arcface")
    settings = load_settings(
        {"ATTENDANCE_MATCHING_CUSTOM_THRESHOLD": "1.1", "ATTENDANCE_MATCHING_CUSTOM_MARGIN": "0.05"}
    ).matching
    numbers = settings.numbers_of("arcface")
    assert (numbers.threshold, numbers.margin, numbers.family) == (1.1, 0.05, Family.CUSTOM)
    assert numbers.campus_threshold == pytest.approx(1.0)  # in proportion, as dlib's 0.5 to 0.55
    assert traits_of("arcface").family == "custom"


def test_no_distance_stands_outside_the_table() -> None:
    found = [
        f"{path}:{line}: {name} = {value}"
        for path, named, _ in _sources()
        for name, value, line in named
        if any(part in name.lower() for part in SUSPICIOUS) and (path, name) not in NO_DISTANCES
    ]
    assert not found, "distances belong into attendance/settings/families.py:\n" + "\n".join(found)


def test_no_value_of_the_table_stands_anywhere_else() -> None:
    found = [
        f"{path}:{line}: {value}"
        for path, _, constants in _sources()
        for value, line in constants
        if type(value) is float and value in VALUES and (path, value) not in OTHER_VALUES
    ]
    assert not found, "a distance, or a number to be explained in OTHER_VALUES:\n" + "\n".join(found)


@pytest.mark.parametrize(
    "line",
    [
        "_SAME_FACE = 0.6",
        "_LIKE_ANOTHER: float = 0.4",
        "THRESHOLDS = (0.5, 0.55)",
        "def match(*, threshold: float = 0.55): ...",
        "def match(threshold=0.55): ...",
        "near = distance < 0.6",
        "near = 0.6 > self.distance",
        "threshold: float = Field(0.55, gt=0)",
    ],
)
def test_a_distance_outside_the_table_would_be_seen(line: str) -> None:
    names = [name.lower() for name, _, _ in _named_numbers(ast.parse(line))]
    assert any(part in name for name in names for part in SUSPICIOUS)


def test_what_is_excused_is_still_there() -> None:
    named = {(path, name) for path, names, _ in _sources() for name, _, _ in names}
    values = {(path, value) for path, _, constants in _sources() for value, _ in constants}
    assert named >= NO_DISTANCES.keys()
    assert values >= OTHER_VALUES.keys()


def test_every_built_in_family_is_one_row() -> None:
    assert {family: numbers.family for family, numbers in BUILT_IN.items()} == {family: family for family in BUILT_IN}


Named = tuple[tuple[str, float, int], ...]
Constants = tuple[tuple[float, int], ...]


@cache
def _sources() -> tuple[tuple[str, Named, Constants], ...]:
    """Of each file the numbers that have a name, and all numbers, with their lines."""
    found = []
    for path in (path for room in PRODUCT for path in sorted((ROOT / room).rglob("*.py")) if path != TABLE):
        tree = ast.parse(path.read_text("utf-8"))
        constants = ((node.value, node.lineno) for node in ast.walk(tree) if isinstance(node, ast.Constant))
        numbers = tuple((value, line) for value, line in constants if isinstance(value, int | float))
        found.append((str(path.relative_to(ROOT)), tuple(_named_numbers(tree)), numbers))
    return tuple(found)


def _named_numbers(tree: ast.Module) -> Iterator[tuple[str, float, int]]:
    """Fractions that a name stands for: constants, defaults of fields and of parameters, and compared with one."""
    for node in ast.walk(tree):
        pairs: Sequence[tuple[ast.expr | ast.arg | None, ast.expr | None]] = []
        if isinstance(node, ast.Assign):
            pairs = [(target, node.value) for target in node.targets]
        elif isinstance(node, ast.AnnAssign):
            pairs = [(node.target, node.value)]
        elif isinstance(node, ast.arguments):
            positional = [*node.posonlyargs, *node.args]
            pairs = [
                *zip(reversed(positional), reversed(node.defaults), strict=False),
                *zip(node.kwonlyargs, node.kw_defaults, strict=True),
            ]
        elif isinstance(node, ast.Compare):
            pairs = [(node.left, other) for other in node.comparators] + [
                (other, node.left) for other in node.comparators
            ]
        for target, value in pairs:
            for number in _fractions(value):
                yield _name(target), number, getattr(node, "lineno", 0) or getattr(target, "lineno", 0)


def _name(target: ast.expr | ast.arg | None) -> str:
    match target:
        case ast.Name(id=name) | ast.Attribute(attr=name) | ast.arg(arg=name):
            return name
        case _:
            return ""


def _fractions(value: ast.expr | None) -> Iterator[float]:
    """Numbers with a fraction that a value consists of; nought and one are no distances."""
    match value:
        case ast.Constant(value=float(number)) if number not in (0.0, 1.0):
            yield number
        case ast.Tuple(elts=items) | ast.List(elts=items):
            for item in items:
                yield from _fractions(item)
        case ast.Call(func=ast.Name(id="Field"), args=[first, *_]):
            yield from _fractions(first)
