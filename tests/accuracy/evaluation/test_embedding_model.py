"""Models from outside: a function in the place of the engine's own embedding."""

import json
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from click.testing import CliRunner, Result
from numpy.typing import NDArray

from accuracy.evaluation.embedding_model import EmbeddingError, EmbeddingModel
from operations.cli.main import attendance

pytestmark = pytest.mark.usefixtures("one_engine", "no_plots")


def run(*arguments: object) -> Result:
    return CliRunner().invoke(attendance, ["evaluate", *map(str, arguments)], catch_exceptions=False)


def figures(folder: Path) -> dict[str, object]:
    found: dict[str, object] = json.loads((folder / "evaluation.json").read_text("utf-8"))
    return found


@pytest.fixture
def colours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A module with an embedding of aligned faces, one of photos, and broken ones."""
    module = ModuleType("colours")

    def chips(batch: NDArray[np.uint8]) -> NDArray[np.float64]:
        assert batch.shape[1:] == (150, 150, 3)
        grey: NDArray[np.float64] = batch.astype(np.float64).mean(axis=3)[:, 5::10, 5::10].reshape(len(batch), -1)
        centred: NDArray[np.float64] = grey - grey.mean(axis=1, keepdims=True)
        return centred

    def photos(batch: list[NDArray[np.uint8]]) -> list[list[float]]:
        return [[float(photo.mean()), float(photo.std()), 1.0] for photo in batch]

    module.chips, module.photos = chips, photos  # type: ignore[attr-defined]
    module.short = lambda batch: np.zeros((1, 3))  # type: ignore[attr-defined]
    module.nan = lambda batch: np.full((len(batch), 3), np.nan)  # type: ignore[attr-defined]
    module.text = lambda batch: "no numbers"  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "colours", module)
    return "colours"


@pytest.mark.parametrize("takes", ["chips", "photos"])
def test_a_plugged_in_model(faces: Path, tmp_path: Path, colours: str, takes: str) -> None:
    arguments = ["--embedding", f"{colours}:{takes}", "--embedding-takes", takes, "--normalise", "--bootstrap", 100]
    done = run(faces, *arguments, "--output", tmp_path / "report")
    assert done.exit_code == 0, done.output
    assert f"Model colours:{takes}." in done.output
    assert "the configured thresholds are of another model" in done.output
    found = figures(tmp_path / "report")
    assert found["decisions"] == []
    assert found["mated_searches"] == {"count": 6, "people": 3}
    with_threshold = run(faces, *arguments, "--threshold", 0.3)
    assert "At the given threshold 0.3 with the margin 0.04" in with_threshold.output


@pytest.mark.parametrize(
    ("embedding", "message"),
    [
        ("colours:short", "gave shape (1, 3) for"),
        ("colours:nan", "numbers that are not finite"),
        ("colours:text", "failed: ValueError"),
        ("colours:nothing", "cannot be loaded"),
        ("nowhere:embed", "cannot be loaded"),
        ("colours", "module:function"),
        ("sys:path", "is no function"),
    ],
)
def test_a_model_that_cannot_be_used_is_named(faces: Path, colours: str, embedding: str, message: str) -> None:
    for large in ("1001/1.jpg", "1001/2.PNG", "1003/2.jpg", "1003/4 three.png", "1004/2.jpg"):
        (faces / large).unlink()
    done = run(faces, "--embedding", embedding)
    assert done.exit_code == 1
    assert message in done.output
    assert "Traceback" not in done.output


def test_a_model_keeps_its_size() -> None:
    sizes = iter((3, 4))
    model = EmbeddingModel("m", lambda batch: np.ones((len(batch), next(sizes))))
    chips = np.zeros((1, 8, 8, 3), np.uint8)
    model._encode(chips)
    with pytest.raises(EmbeddingError, match="4 numbers, and 3 before"):
        model._encode(chips)
