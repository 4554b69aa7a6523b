"""The plot of docs/performance.md, drawn as SVG without a plotting library."""

from pathlib import Path

from benchmarks.costs import SIZES

_WIDTH, _HEIGHT, _MARGIN = 640, 360, 60
_COLOURS = ("#1f5fa8", "#b3541e", "#3b7d3b")


def draw_costs(costs: dict[str, dict[str, float]], path: Path) -> None:
    """Draw milliseconds a frame against megapixels, one line an engine, from `costs.against_size`."""
    largest = max(value for row in costs.values() for value in row.values())
    step = next(s for s in (10, 20, 50, 100, 200, 500, 1000) if largest / s <= 8)
    top = step * (int(largest / step) + 1)
    pixels = {name: width * height / 1e6 for name, (width, height) in SIZES.items()}

    def x(megapixels: float) -> float:
        return _MARGIN + megapixels / 2.2 * (_WIDTH - 2 * _MARGIN)

    def y(milliseconds: float) -> float:
        return _HEIGHT - _MARGIN - milliseconds / top * (_HEIGHT - 2 * _MARGIN)

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg"'
        f' viewBox="0 0 {_WIDTH} {_HEIGHT}" font-family="sans-serif" font-size="13">',
        "<title>Milliseconds to detect and encode one frame, against its size</title>",
        f'<rect width="{_WIDTH}" height="{_HEIGHT}" fill="#ffffff"/>',
    ]
    for value in range(0, top + 1, step):
        parts.append(f'<path d="M{x(0):.0f} {y(value):.1f}H{x(2.2):.0f}" stroke="#dddddd"/>')
        parts.append(f'<text x="{_MARGIN - 8}" y="{y(value) + 4:.1f}" text-anchor="end">{value}</text>')
    for name, megapixels in pixels.items():
        parts.append(f'<text x="{x(megapixels):.1f}" y="{_HEIGHT - _MARGIN + 20}" text-anchor="middle">{name}</text>')
    parts.append(f'<text x="{_WIDTH / 2}" y="{_HEIGHT - 14}" text-anchor="middle">frame size (megapixels)</text>')
    parts.append(f'<text x="14" y="{_MARGIN - 24}">milliseconds a frame, two faces, detect and encode</text>')
    for (name, row), colour in zip(costs.items(), _COLOURS, strict=False):
        points = [(x(pixels[size]), y(value)) for size, value in row.items()]
        line = " ".join(f"{px:.1f},{py:.1f}" for px, py in points)
        parts.append(f'<polyline points="{line}" fill="none" stroke="{colour}" stroke-width="2"/>')
        parts += [f'<circle cx="{px:.1f}" cy="{py:.1f}" r="3.5" fill="{colour}"/>' for px, py in points]
        end_x, end_y = points[-1]
        parts.append(f'<text x="{end_x - 8:.1f}" y="{end_y - 8:.1f}" text-anchor="end" fill="{colour}">{name}</text>')
    parts.append("</svg>")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(parts) + "\n", encoding="utf-8")
