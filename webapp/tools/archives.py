"""ZIP archives as answers, made while they are sent."""

import zipfile
from collections.abc import Iterable, Iterator

from flask import Response


class _Sink:
    """What an archive is written to: it cannot go back, and forgets what was taken."""

    def __init__(self) -> None:
        self._written: list[bytes] = []

    def write(self, data: bytes) -> int:
        self._written.append(bytes(data))
        return len(data)

    def flush(self) -> None:
        pass

    def take(self) -> bytes:
        taken = b"".join(self._written)
        self._written.clear()
        return taken


def zip_pieces(files: Iterable[tuple[str, Iterable[str]]]) -> Iterator[bytes]:
    """An archive, piece by piece; never more of it is in memory than one piece of a file makes.

    Args:
        files: the name of each and its text in pieces, read one after the other.
    """
    sink = _Sink()
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED) as archive:  # type: ignore[call-overload] # it writes, no more
        for name, pieces in files:
            with archive.open(name, "w") as member:
                for piece in pieces:
                    member.write(piece.encode())
                    yield sink.take()
    yield sink.take()


def zip_response(pieces: Iterator[bytes], name: str) -> Response:
    """An archive as an answer."""
    response = Response((piece for piece in pieces if piece), content_type="application/zip")
    response.headers.set("Content-Disposition", "attachment", filename=name)
    return response
