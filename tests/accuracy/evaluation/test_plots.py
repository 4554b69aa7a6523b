"""The curves of an evaluation."""

import io
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image

from accuracy.evaluation.decisions import Rule
from accuracy.evaluation.figures import Evaluation, evaluate
from accuracy.evaluation.plots import CMC, DET, DISTANCES, SEARCH_DET, draw_plots
from accuracy.evaluation.searching import Sample, search
from accuracy.evaluation.splitting import leave_one_out
from attendance.gallery.gallery import Gallery


def evaluated(people: int, photos: int, *, in_turn: bool = True) -> Evaluation:
    draw = np.random.default_rng(4)
    samples = [
        Sample(f"p{person}", f"p{person}/{photo}", (place + draw.normal(size=3) * 0.3).astype(np.float32))
        for person, place in enumerate(draw.normal(size=(people, 3)))
        for photo in range(photos)
    ]
    arranged = leave_one_out(samples, [], in_turn=in_turn)
    gallery = Gallery.from_encodings(arranged.encodings, model="m", encoding_size=3)
    searches = search(gallery, arranged.probes, left_out=arranged.left_out, in_turn=in_turn)
    return evaluate(searches, {"the roster's threshold": Rule(0.55, 0.04)}, replicates=100)


def test_plots_are_pictures_of_both_kinds() -> None:
    evaluation = evaluated(12, 3)
    plots = draw_plots(evaluation)
    assert set(plots) == {f"{name}.{kind}" for name in (DET, SEARCH_DET, DISTANCES, CMC) for kind in ("png", "svg")}
    for name, data in plots.items():
        if name.endswith("png"):
            assert Image.open(io.BytesIO(data)).size[0] > 600
        else:
            assert ElementTree.fromstring(data).tag.endswith("svg")  # noqa: S314 - of this program


@pytest.mark.parametrize(("photos", "in_turn", "names"), [(1, True, {DISTANCES}), (2, False, {DET, DISTANCES, CMC})])
def test_what_cannot_be_drawn_is_left_out(photos: int, in_turn: bool, names: set[str]) -> None:
    plots = draw_plots(evaluated(3, photos, in_turn=in_turn))
    assert {name.partition(".")[0] for name in plots} == names
