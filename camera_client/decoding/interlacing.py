"""Whether a video is interlaced, by what its decoder is told before the first picture."""

_DV = frozenset({"dvsd", "dvhd", "dvsl", "dv25", "dv50", "dvcp", "dvc "})
_MPEG2 = frozenset({"mpg2", "mpeg", "mpg1", "pim1"})
_H264 = frozenset({"h264", "avc1", "x264"})
# Codecs whose pictures OpenCV gets whole: each is coded as a frame.
_PROGRESSIVE = frozenset({"mjpg", "jpeg", "vp80", "vp90", "av01", "png ", "hevc", "hvc1", "hev1"})
# ITU-T H.264, table in 7.3.2.1.1: profiles whose sequence parameters say more of colours.
_RICH_PROFILES = frozenset({100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135})


def declares_interlaced(codec: str, extradata: bytes) -> bool | None:
    """Whether a stream says that its pictures may be interlaced; None when it does not say.

    Args:
        codec: its FOURCC.
        extradata: what its decoder is told beforehand, as FFmpeg gives it.
    """
    codec = codec.lower()
    if codec in _DV:
        return True
    if codec in _PROGRESSIVE:
        return False
    if codec in _MPEG2:
        return _mpeg2(extradata)
    return _h264(extradata) if codec in _H264 else None


def _mpeg2(extradata: bytes) -> bool | None:
    """ITU-T H.262, 6.2.2.3: `progressive_sequence` of the sequence extension; MPEG-1 has none and no fields."""
    if b"\0\0\1\xb3" not in extradata:
        return None
    at = extradata.find(b"\0\0\1\xb5")
    if at < 0:
        return False
    content = extradata[at + 4 : at + 6]
    return None if len(content) < 2 or content[0] >> 4 != 1 else not content[1] & 0x08


def _h264(extradata: bytes) -> bool | None:
    units = _avc_units(extradata) if extradata[:1] == b"\1" else extradata.split(b"\0\0\1")[1:]
    parameters = next((unit for unit in units if unit and unit[0] & 0x1F == 7), None)
    if parameters is None:
        return None
    try:
        return not _frame_mbs_only(_Bits(parameters[1:].replace(b"\0\0\3", b"\0\0")))
    except IndexError:
        return None


def _avc_units(extradata: bytes) -> list[bytes]:
    """The sequence parameter sets of an AVCDecoderConfigurationRecord: ISO/IEC 14496-15, 5.2.4.1."""
    units, at = [], 6
    for _ in range(extradata[5] & 0x1F if len(extradata) > 5 else 0):
        length = int.from_bytes(extradata[at : at + 2], "big")
        units.append(extradata[at + 2 : at + 2 + length])
        at += 2 + length
    return units


class _Bits:
    """Reads bits, highest first, and the exponential Golomb codes of H.264 (clause 9.1)."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def take(self, count: int) -> int:
        value = 0
        for _ in range(count):
            value = value << 1 | self._data[self._at >> 3] >> (7 - (self._at & 7)) & 1
            self._at += 1
        return value

    def golomb(self) -> int:
        zeros = 0
        while not self.take(1):
            zeros += 1
        return (1 << zeros) - 1 + self.take(zeros)


def _frame_mbs_only(bits: _Bits) -> bool:
    """`frame_mbs_only_flag` of sequence parameters: ITU-T H.264, 7.3.2.1.1."""
    profile = bits.take(8)
    bits.take(16)
    bits.golomb()
    if profile in _RICH_PROFILES:
        chroma = bits.golomb()
        if chroma == 3:
            bits.take(1)
        bits.golomb()
        bits.golomb()
        bits.take(1)
        if bits.take(1):
            for number in range(8 if chroma != 3 else 12):
                if bits.take(1):
                    _skip_scaling_list(bits, 16 if number < 6 else 64)
    bits.golomb()
    order = bits.golomb()
    if order == 0:
        bits.golomb()
    elif order == 1:
        bits.take(1)
        bits.golomb()
        bits.golomb()
        for _ in range(bits.golomb()):
            bits.golomb()
    bits.golomb()
    bits.take(1)
    bits.golomb()
    bits.golomb()
    return bool(bits.take(1))


def _skip_scaling_list(bits: _Bits, size: int) -> None:
    last = following = 8
    for _ in range(size):
        if following:
            code = bits.golomb()
            following = (last + ((code + 1) // 2 if code % 2 else -(code // 2))) % 256
        last = following or last
