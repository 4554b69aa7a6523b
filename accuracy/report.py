"""The files of a report: a page that needs nothing beside it, the figures as JSON, and the charts."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from attendance.gallery.files import replace_durably
from attendance.private_files import make_private_folder

STYLE = Path(__file__).with_suffix(".css")
"""The style that the pages share."""


def write_report(
    folder: Path, name: str, *, page: str, figures: Mapping[str, Any], charts: Mapping[str, bytes]
) -> Path:
    """Write a report for this account only.

    Args:
        folder: made if it is missing; files of an earlier report are replaced.
        name: of the page and the figures, without ending.
        page: HTML.
        figures: for JSON, without NaN and infinity.
        charts: by file name.

    Returns:
        The page.

    Raises:
        OSError: the disk refuses.
        ValueError: a figure is NaN or infinite.
    """
    make_private_folder(folder)
    texts = {
        f"{name}.json": json.dumps(figures, indent=2, ensure_ascii=False, allow_nan=False),
        f"{name}.html": page,
    }
    # Names of photos may hold what is no Unicode.
    files = {file: text.encode("utf-8", errors="replace") for file, text in texts.items()}
    for file, data in {**charts, **files}.items():
        replace_durably((folder / file).absolute(), data)
    return folder / f"{name}.html"
