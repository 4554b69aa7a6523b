"""Which revisions of the schema this version of the product knows, as the migrations' files say.

Every program asks when it starts. Alembic, which would answer too, takes a sixth of a second to be loaded.
"""

import re
from pathlib import Path

_BOTH = re.compile(
    r"""^revision = ["'](?P<own>\w+)["']\ndown_revision = (?:["'](?P<before>\w+)["']|None)$""", re.MULTILINE
)


def known_revisions(migrations: Path) -> dict[str, str | None]:
    """Each revision, and the one before it.

    Args:
        migrations: the folder of Alembic's environment.
    """
    texts = (file.read_text(encoding="utf-8") for file in sorted((migrations / "versions").rglob("*.py")))
    return {found["own"]: found["before"] for text in texts for found in _BOTH.finditer(text)}
