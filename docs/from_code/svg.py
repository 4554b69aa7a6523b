"""Parts of the pictures: every picture brings its own paper and colours, for light and for dark screens."""

from html import escape

_STYLE = """
  :root { --paper: #ffffff; --ink: #14263f; --note: #44546a; --box: #f3f6fb; --edge: #8aa0bd; --frame: #fafbfd;
          --key: #a05a00; --way: #3b5b86; }
  @media (prefers-color-scheme: dark) {
    :root { --paper: #14181f; --ink: #e8edf5; --note: #a9b6c8; --box: #1f2733; --edge: #56688a; --frame: #181e27;
            --key: #e8b15c; --way: #8fb2e6; }
  }
  .paper { fill: var(--paper); } .box { fill: var(--box); stroke: var(--edge); }
  .frame { fill: var(--frame); stroke: var(--edge); stroke-dasharray: 4 4; }
  .name { font-weight: 600; fill: var(--ink); } .note { fill: var(--note); font-size: 11.5px; }
  .key { fill: var(--key); font-size: 11.5px; }
  .way { stroke: var(--way); stroke-width: 1.5; fill: none; marker-end: url(#tip); } .tip { fill: var(--way); }
"""


def picture(width: float, height: float, title: str, parts: list[str]) -> str:
    """A whole SVG file; `parts` are drawn one over the other."""
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {height:g}" width="{width:g}"'
            f' height="{height:g}" font-family="system-ui, sans-serif" font-size="13" role="img">',
            f"<title>{escape(title)}</title>",
            f"<style>{_STYLE}</style>",
            '<defs><marker id="tip" viewBox="0 0 10 10" refX="9" refY="5" markerWidth="7" markerHeight="7"'
            ' orient="auto"><path class="tip" d="M0 0 L10 5 L0 10 z"/></marker></defs>',
            f'<rect class="paper" width="{width:g}" height="{height:g}" rx="8"/>',
            *parts,
            "</svg>\n",
        ]
    )


def box(x: float, y: float, width: float, height: float, kind: str = "box") -> str:
    """A rectangle with round corners, of the class "box" or "frame"."""
    return f'<rect class="{kind}" x="{x:g}" y="{y:g}" width="{width:g}" height="{height:g}" rx="8"/>'


def text(x: float, y: float, words: str, kind: str = "note", *, middle: bool = False) -> str:
    """A line of text on the base line `y`, of the class "name", "note" or "key"."""
    anchor = ' text-anchor="middle"' if middle else ""
    return f'<text class="{kind}" x="{x:g}" y="{y:g}"{anchor}>{escape(words)}</text>'


def way(path: str, hint: str) -> str:
    """An arrow along an SVG path; `hint` is shown to who points at it."""
    return f'<path class="way" d="{path}"><title>{escape(hint)}</title></path>'
