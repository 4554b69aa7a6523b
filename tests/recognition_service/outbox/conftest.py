"""An outbox of its own for each test."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from recognition_service.outbox.store import Outbox


@pytest.fixture
def outbox(tmp_path: Path) -> Iterator[Outbox]:
    """An empty outbox."""
    box = Outbox(tmp_path / "outbox.db")
    yield box
    box.close()
