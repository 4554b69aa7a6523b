"""CSV that a program reads, word for word: no mark for Excel, and no apostrophe before what looks like a formula."""

import csv
import io
from collections.abc import Iterable, Iterator, Sequence


def program_csv(*tables: Iterable[Sequence[object]]) -> Iterator[str]:
    """The rows of one table after the other, a line each; the header is a row like others."""
    buffer = io.StringIO()
    writer = csv.writer(buffer)
    for rows in tables:
        for row in rows:
            writer.writerow(row)
            yield buffer.getvalue()
            buffer.seek(0)
            buffer.truncate()
