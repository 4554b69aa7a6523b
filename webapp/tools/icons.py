"""Small line drawings, 24 by 24; they say nothing by themselves, so they are hidden from screen readers."""

from collections.abc import Mapping

from markupsafe import Markup

_PATHS = {
    "rows": "M4 6h16M4 10.5h16M4 15h16M4 19.5h16",
    "chevron": "M6 9l6 6 6-6",
    "right": "M9 6l6 6-6 6",
    "left": "M15 6l-6 6 6 6",
    "person": "M12 12a4 4 0 1 0 0-8 4 4 0 0 0 0 8zM4.5 20c.8-3.6 3.8-5.5 7.5-5.5s6.7 1.9 7.5 5.5",
    "people": (
        "M9 11.5a3.5 3.5 0 1 0 0-7 3.5 3.5 0 0 0 0 7zM2.5 19.5c.6-3.2 3.2-5 6.5-5s5.9 1.8 6.5 5"
        "M16 4.8a3.5 3.5 0 0 1 0 6.4M18 14.8c1.8.8 3.1 2.4 3.5 4.7"
    ),
    "leave": "M14 4h4a2 2 0 0 1 2 2v12a2 2 0 0 1-2 2h-4M10 8l-4 4 4 4M6 12h9",
    "download": "M12 4v11M7.5 11l4.5 4.5L16.5 11M4 20h16",
    "upload": "M12 16V5M7.5 9L12 4.5 16.5 9M4 20h16",
    "printer": "M7 9V4.5h10V9M7 17H4.5V9h15v8H17M7 14h10v5.5H7z",
    "search": "M11 18a7 7 0 1 0 0-14 7 7 0 0 0 0 14zM20 20l-4-4",
    "camera": "M4 8h3l1.5-2.5h7L17 8h3v11H4zM12 16.5a3.5 3.5 0 1 0 0-7 3.5 3.5 0 0 0 0 7z",
    "calendar": "M5 6h14v14H5zM5 10.5h14M8.5 3.5V8M15.5 3.5V8",
    "clock": "M12 20.5a8.5 8.5 0 1 0 0-17 8.5 8.5 0 0 0 0 17zM12 7.5V12l3 2",
    "place": (
        "M12 21c4.5-4.7 6.5-8 6.5-11a6.5 6.5 0 0 0-13 0c0 3 2 6.3 6.5 11zM12 12.5a2.5 2.5 0 1 0 0-5 2.5 2.5 0 0 0 0 5z"
    ),
    "edit": "M5 19l1-4L16 5l3 3L9 18zM14 7l3 3",
    "bell": "M6 17h12l-1.5-2.5V10a4.5 4.5 0 0 0-9 0v4.5zM10 19.5a2 2 0 0 0 4 0",
    "plus": "M12 5v14M5 12h14",
    "trash": "M5 7h14M9.5 7V4.5h5V7M7 7l.8 12.5h8.4L17 7M10.5 11v5M13.5 11v5",
    "check": "M5 12.5l4.5 4.5L19 7.5",
    "cross": "M6 6l12 12M18 6L6 18",
    "warning": "M12 4L2.8 20h18.4zM12 10v4.5M12 17.2v.3",
    "info": "M12 20.5a8.5 8.5 0 1 0 0-17 8.5 8.5 0 0 0 0 17zM12 11v5M12 8v.3",
    "book": "M5 5.5C7 4.5 9.5 4.5 12 6c2.5-1.5 5-1.5 7-.5v13c-2-1-4.5-1-7 .5-2.5-1.5-5-1.5-7-.5zM12 6v13",
    "settings": (
        "M4 7h9M17 7h3M4 17h3M11 17h9M15 9.5a2.5 2.5 0 1 0 0-5 2.5 2.5 0 0 0 0 5z"
        "M9 19.5a2.5 2.5 0 1 0 0-5 2.5 2.5 0 0 0 0 5z"
    ),
}


# These point somewhere, and the other way where text runs from right to left.
_TURNING = ("left", "right", "leave")


def _drawn(name: str, path: str) -> Markup:
    return Markup(
        '<svg class="{}" viewBox="0 0 24 24" width="20" height="20" aria-hidden="true" focusable="false">'
        '<path d="{}" fill="none" stroke="currentColor" stroke-width="1.8" stroke-linecap="round"'
        ' stroke-linejoin="round"/></svg>'
    ).format("icon icon-turns" if name in _TURNING else "icon", path)


# Made once: a register of hundreds shows two in each row.
ICONS: Mapping[str, Markup] = {name: _drawn(name, path) for name, path in _PATHS.items()}
"""By name, as templates ask for them: `ui.icon("person")`."""
