"""`python -m docs.from_code [--check]`: draw the pictures and write the lists that the documents take from the code."""

from collections.abc import Mapping
from pathlib import Path

import click

from attendance.database.models import Base
from docs.from_code.interface import interface_page
from docs.from_code.reference import reference_page
from docs.from_code.roles import roles_page
from docs.from_code.rooms import draw_rooms, read_house
from docs.from_code.tables import draw_tables

ROOT = Path(__file__).resolve().parents[2]


def files(root: Path = ROOT) -> Mapping[str, str]:
    """Each file's path below `root` and what should stand in it."""
    house = read_house(root)
    return {
        "docs/api.md": interface_page(),
        "docs/pictures/rooms.svg": draw_rooms(house),
        "docs/pictures/tables.svg": draw_tables(Base.metadata),
        "docs/reference.md": reference_page(house, root),
        "docs/roles.md": roles_page(),
    }


def outdated(root: Path = ROOT) -> list[str]:
    """The files that are missing or hold something else."""
    return [path for path, text in files(root).items() if _text(root / path) != text]


def _text(path: Path) -> str | None:
    return path.read_text(encoding="utf-8") if path.exists() else None


@click.command()
@click.option("--check", is_flag=True, help="Write nothing; fail when a file is not up to date.")
def main(check: bool) -> None:
    """Draw the pictures and write the lists that the documents take from the code."""
    if check:
        stale = outdated()
        if stale:
            raise click.ClickException(f"run `make reference`: not up to date: {', '.join(stale)}")
        return
    for path, text in files().items():
        (ROOT / path).write_text(text, encoding="utf-8")
        click.echo(path)


if __name__ == "__main__":
    main()
