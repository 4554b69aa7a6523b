"""The containers of JPEG and PNG files: size, completeness, orientation, and the parts that pixels need.

A decoder is handed only those parts. Thumbnails, colour profiles, comments and whatever follows the image's end stay
outside, so they can neither confuse it nor cost memory; and what a cut-off file lacks is seen here, whatever the
decoder would have forgiven. Read after ITU-T T.81 annex B (JPEG) and W3C PNG (third edition).
"""

import struct
import zlib
from dataclasses import dataclass

from attendance.face_engine.interface import ImageError
from attendance.pictures.memory import MARKER_AFTER_SCAN, MOST_SCANS
from attendance.pictures.orientation import UPRIGHT, exif_orientation, png_orientation, xmp_orientation

_JPEG_START = b"\xff\xd8"
_PNG_START = b"\x89PNG\r\n\x1a\n"

_SOF = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_SEQUENTIAL, _ARITHMETIC = frozenset({0xC0, 0xC1}), frozenset(range(0xC9, 0xD0)) - {0xCC}
_EOI, _SOS, _TEM, _APP1, _COM = 0xD9, 0xDA, 0x01, 0xE1, 0xFE
_OF_COLOURS = frozenset({0xE0, 0xEE})
"""APP0 (JFIF) and APP14 (Adobe)."""
_RESTARTS_AND_SOI = range(0xD0, 0xD9)
_APPLICATION = range(0xE0, 0xF0)
_EXIF_MARK, _XMP_MARK = b"Exif\0\0", b"http://ns.adobe.com/xap/1.0/\0"
"""With which an APP1 segment begins (EXIF 2.3, 4.7.2; XMP part 3, 1.1.3)."""
_PNG_CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
"""Numbers of a pixel by colour type (PNG, table 11.1)."""
_DEFLATE_MOST = 1032
_PNG_PARTS = (b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND")


@dataclass(frozen=True, slots=True)
class Container:
    """What a file says about its image, and the file without all that pixels do not need."""

    format: str
    """JPEG or PNG."""
    width: int
    height: int
    orientation: int
    """As `attendance.pictures.orientation` tells it, 1 (upright) to 8."""
    essence: bytes
    """A file with the same pixels; empty if the file stops before its end, as `complete` says."""
    complete: bool
    coded_bytes: int
    """Bytes of coded pixels that the file holds."""
    least_bytes: int
    """Bytes that the pixels which the header declares take at least, however much alike they are."""
    components: int
    """Of a JPEG: 1 is grey, 3 are colours, 4 are inks; of a PNG the numbers of a pixel."""


def read_container(data: bytes) -> Container:
    """Read a JPEG or PNG file's structure without decoding it.

    Raises:
        ImageError: it is neither, or its structure is damaged.
    """
    if data.startswith(_JPEG_START):
        return _read_jpeg(data)
    if data.startswith(_PNG_START):
        return _read_png(data)
    raise ImageError("not a JPEG or PNG image" if data else "the image is empty (no bytes)")


class _Jpeg:
    """A JPEG file walked from segment to segment."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.position = len(_JPEG_START)
        self.kept = [_JPEG_START]
        self.size: tuple[int, int] | None = None
        self.exif: int | None = None
        self.xmp: int | None = None
        self.scans = 0
        self.coded_bytes = 0
        self.least_bytes = 0
        self.components = 0

    def walk(self) -> bool:
        """Visit every segment; false if the data stop before the end marker."""
        while True:
            marker = self._next_marker()
            if marker is None:
                return False
            if marker == _EOI:
                self.kept.append(b"\xff\xd9")
                return True
            if marker in _RESTARTS_AND_SOI or marker == _TEM:
                continue
            if not self._visit(marker):
                return False

    def _next_marker(self) -> int | None:
        data = self.data
        if self.position >= len(data):
            return None
        if data[self.position] != 0xFF:  # the byte that starts every marker
            raise ImageError("damaged JPEG: no marker where a segment should start")
        while self.position < len(data) and data[self.position] == 0xFF:  # fill bytes
            self.position += 1
        if self.position >= len(data):
            return None
        self.position += 1
        return data[self.position - 1]

    def _visit(self, marker: int) -> bool:
        data, start = self.data, self.position
        if start + 2 > len(data):
            return False
        end = start + int.from_bytes(data[start : start + 2], "big")
        if end < start + 2:
            raise ImageError("damaged JPEG: a segment shorter than its own length")
        if end > len(data):
            return False
        content = data[start + 2 : end]
        if marker in _SOF:
            if marker in _ARITHMETIC:
                raise ImageError("a JPEG with arithmetic coding, which is not supported")
            self._read_frame(content, least_bits=2 if marker in _SEQUENTIAL else 1)
        elif marker == _APP1:
            self._read_metadata(content)
        elif marker == _SOS:
            self.scans += 1
            if self.scans > MOST_SCANS:
                raise ImageError(f"a JPEG of more than {MOST_SCANS} scans")
            found = MARKER_AFTER_SCAN.search(data, end)
            if found is None:
                return False
            self.coded_bytes += found.start() - end
            end = found.start()
        # APP0 and APP14 say how colours are coded (libjpeg asks for both); the other application segments and comments
        # carry no pixels.
        if (marker not in _APPLICATION or marker in _OF_COLOURS) and marker != _COM:
            self.kept.append(b"\xff" + bytes([marker]) + data[start:end])
        self.position = end
        return True

    def _read_metadata(self, content: bytes) -> None:
        if content.startswith(_XMP_MARK):
            self.xmp = self.xmp or xmp_orientation(content)
        elif content.startswith(_EXIF_MARK):
            self.exif = self.exif or exif_orientation(content)

    def _read_frame(self, content: bytes, *, least_bits: int) -> None:
        """Note the size, and the least that it can be coded in.

        Of every block of 8 x 8 samples of every component (their number: T.81 A.2.4) a Huffman code says how its mean
        differs from the last one's, and in sequential modes another one how its details go on. No such code has fewer
        than one bit (T.81 C.2). In progressive modes one code may end the details of 32,767 blocks (T.81 G.1.2.2), so
        the means alone count. An arithmetic coder has no such bound, and is refused: no camera and no browser has it.
        A black picture of 4,000 x 4,000 pixels takes 250,000 bytes with the usual codes (T.81 K.3) and 93,750, the
        bound itself, with codes made for it; progressively too, since encoders give the means in two scans of a bit.

        Args:
            content: of the segment.
            least_bits: of a block.
        """
        if self.size is not None:
            raise ImageError("damaged JPEG: two frame headers")
        if len(content) < 6:  # precision, height, width, components
            raise ImageError("damaged JPEG: a frame header cut short")
        height, width = struct.unpack(">HH", content[1:5])
        self.size = (width, height)
        samplings = [
            (content[at] >> 4, content[at] & 15) for at in range(7, 6 + 3 * content[5], 3) if at < len(content)
        ]
        if len(samplings) != content[5] or not samplings or not all(min(pair) and max(pair) <= 4 for pair in samplings):
            raise ImageError("damaged JPEG: a frame header without its components")
        self.components = len(samplings)
        widest, highest = (max(pair[axis] for pair in samplings) for axis in (0, 1))
        blocks = sum(-(-width * h // (8 * widest)) * -(-height * v // (8 * highest)) for h, v in samplings)
        self.least_bytes = -(-blocks * least_bits // 8)


def _read_jpeg(data: bytes) -> Container:
    jpeg = _Jpeg(data)
    complete = jpeg.walk()
    if jpeg.size is None:
        raise ImageError("damaged JPEG: no frame header" if complete else "the JPEG is truncated")
    complete = complete and jpeg.scans > 0
    essence = b"".join(jpeg.kept) if complete else b""
    orientation = jpeg.exif or jpeg.xmp or UPRIGHT
    return Container(
        "JPEG", *jpeg.size, orientation, essence, complete, jpeg.coded_bytes, jpeg.least_bytes, jpeg.components
    )


def _read_png(data: bytes) -> Container:
    if len(data) < len(_PNG_START) + 25:
        raise ImageError("the PNG is truncated")
    if data[12:16] != b"IHDR":
        raise ImageError("damaged PNG: no header")
    width, height = struct.unpack(">II", data[16:24])
    # A row is its pixels and a byte before them; DEFLATE codes at most 258 bytes in two bits (RFC 1951, 3.2.5).
    channels = _PNG_CHANNELS.get(data[25], 1)
    bits = data[24] * channels
    least = -(-height * (1 + -(-width * bits // 8)) // _DEFLATE_MOST)
    coded = 0
    orientation: int | None = None
    kept = [_PNG_START]
    position = len(_PNG_START)
    while position + 12 <= len(data):
        (length,) = struct.unpack_from(">I", data, position)
        end = position + 12 + length
        if end > len(data):
            break
        kind = data[position + 4 : position + 8]
        if kind in _PNG_PARTS:
            if zlib.crc32(data[position + 4 : end - 4]) != int.from_bytes(data[end - 4 : end], "big"):
                raise ImageError(f"damaged PNG: wrong checksum in its {kind.decode()} part")
            kept.append(data[position:end])
        if kind == b"IDAT":
            coded += length
        orientation = orientation or png_orientation(kind, data[position + 8 : end - 4])
        if kind == b"IEND":
            whole = b"".join(kept)
            return Container("PNG", width, height, orientation or UPRIGHT, whole, True, coded, least, channels)
        position = end
    return Container("PNG", width, height, UPRIGHT, b"", False, coded, least, channels)
