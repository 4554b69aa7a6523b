"""What a browser calls itself, in the few words by which a person knows it again."""

import re

# In this order: most browsers also name those whose pages they want to be shown.
_BROWSERS = (
    ("Edge", r"\bEdg(e|A|iOS)?/"),
    ("Opera", r"\b(OPR|Opera)/"),
    ("Samsung Internet", r"\bSamsungBrowser/"),
    ("Firefox", r"\b(Firefox|FxiOS)/"),
    ("Chrome", r"(Chrome|Chromium|CriOS)/"),
    ("Safari", r"\bSafari/"),
)
_SYSTEMS = (
    ("iPhone", r"\biPhone\b"),
    ("iPad", r"\biPad\b"),
    ("Android", r"\bAndroid\b"),
    ("ChromeOS", r"\bCrOS\b"),
    ("Windows", r"\bWindows\b"),
    ("Mac", r"\bMac(intosh| OS X)\b"),
    ("Linux", r"\bLinux\b"),
)


def browser_name(user_agent: str) -> str:
    """A browser and its system from the header `User-Agent`, e.g. "Firefox, Linux"; "" where neither is known."""
    found = (_first(names, user_agent) for names in (_BROWSERS, _SYSTEMS))
    return ", ".join(name for name in found if name)


def _first(names: tuple[tuple[str, str], ...], text: str) -> str:
    return next((name for name, pattern in names if re.search(pattern, text)), "")
