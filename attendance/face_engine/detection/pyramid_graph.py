"""The whole detector as one graph for frames of one size: normalisation, pyramid, tile and network, for GPUs.

On a GPU the pixels should cross the bus once, as bytes, and everything after that happen there.
"""

import numpy as np
from onnx import TensorProto, helper

from attendance.face_engine.detection.pyramid import OUTER_PADDING, Level, TileLayout, tile_layout
from attendance.face_engine.models.dlib_file import Network
from attendance.face_engine.models.onnx_export import GraphBuilder, append_detector


def export_frame_detector(network: Network, width: int, height: int) -> bytes:
    """The detector for frames: uint8 (n, height, width, 3) RGB to raw scores, float32 (n, 1, rows, columns).

    Raises:
        ModelError: the network is not dlib's face detector.
    """
    layout = tile_layout(width, height)
    graph = GraphBuilder(f"dlib-mmod-detector-{width}x{height}")
    value = graph.node("Cast", "frames", to=TensorProto.FLOAT)
    value = graph.node("Transpose", value, perm=[0, 3, 1, 2])
    value = graph.node("Sub", value, graph.constant(np.array(network.means, np.float32).reshape(1, 3, 1, 1)))
    append_detector(graph, network, _lay_out(graph, _levels(graph, value, layout), layout))
    return graph.model(
        [helper.make_tensor_value_info("frames", TensorProto.UINT8, ["n", height, width, 3])],
        [helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["n", 1, "rows", "columns"])],
    )


def _levels(graph: GraphBuilder, image: str, layout: TileLayout) -> list[str]:
    """Each level from the one before, bilinear with corners aligned."""
    values = [image]
    for level in layout.levels[1:]:
        # Scales, not sizes, leave the batch free; a little more than exact, so that rounding down gives the size.
        above = layout.levels[len(values) - 1]
        scales = [1, 1, (level.height + 0.01) / above.height, (level.width + 0.01) / above.width]
        values.append(
            graph.node(
                "Resize",
                values[-1],
                "",
                graph.constant(np.array(scales, np.float32)),
                mode="linear",
                coordinate_transformation_mode="align_corners",
            )
        )
    return values


def _lay_out(graph: GraphBuilder, values: list[str], layout: TileLayout) -> str:
    """The tile: bands of rows, each with a level of the left column and what the right column has beside it."""
    left = [(level, value) for level, value in zip(layout.levels, values, strict=True) if level.left == OUTER_PADDING]
    right = list(zip(layout.levels, values, strict=True))[len(left) :]
    if not right:
        return graph.node("Concat", *_column(graph, left, layout.width, layout.height), axis=2)
    strip_width = layout.width - min(level.left for level, _ in right)
    strip_levels = [
        (Level(level.left - layout.width + strip_width, level.top, level.width, level.height), value)
        for level, value in reversed(right)
    ]
    strip = graph.node("Concat", *_column(graph, strip_levels, strip_width, layout.height), axis=2)
    bands = []
    row = 0
    for level, value in left:
        if level.top > row:
            bands.append(_beside(graph, strip, (row, level.top), (strip_width, layout.width)))
        free = layout.width - level.right - 1
        part = min(free, strip_width)
        padded = _pad(graph, value, left=level.left, right=free - part)
        beside = _slice(graph, strip, (level.top, level.bottom + 1), (strip_width - part, strip_width))
        bands.append(graph.node("Concat", padded, beside, axis=3))
        row = level.bottom + 1
    if row < layout.height:
        bands.append(_beside(graph, strip, (row, layout.height), (strip_width, layout.width)))
    return graph.node("Concat", *bands, axis=2)


def _column(graph: GraphBuilder, levels: list[tuple[Level, str]], width: int, height: int) -> list[str]:
    """Levels one below the other, from top to bottom, each with the empty rows above it; the last with those below."""
    pieces = []
    row = 0
    for place, (level, value) in enumerate(levels):
        below = height - level.bottom - 1 if place == len(levels) - 1 else 0
        pieces.append(
            _pad(graph, value, left=level.left, right=width - level.right - 1, above=level.top - row, below=below)
        )
        row = level.bottom + 1
    return pieces


def _beside(graph: GraphBuilder, strip: str, rows: tuple[int, int], widths: tuple[int, int]) -> str:
    """Rows of the tile in which the left column is empty."""
    strip_width, width = widths
    return _pad(graph, _slice(graph, strip, rows, (0, strip_width)), left=width - strip_width)


def _slice(graph: GraphBuilder, value: str, rows: tuple[int, int], columns: tuple[int, int]) -> str:
    bounds = [np.array(pair, np.int64) for pair in zip(rows, columns, strict=True)]
    return graph.node("Slice", value, *(graph.constant(bound) for bound in bounds), graph.constant(np.array([2, 3])))


def _pad(graph: GraphBuilder, value: str, *, left: int = 0, right: int = 0, above: int = 0, below: int = 0) -> str:
    if not (left or right or above or below):
        return value
    return graph.node("Pad", value, graph.constant(np.array([0, 0, above, left, 0, 0, below, right], np.int64)))
