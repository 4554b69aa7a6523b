"""Databases for tests: every table as the migrations make it, copied instead of migrated each time."""

import atexit
import shutil
import tempfile
from functools import cache
from pathlib import Path

import sqlalchemy as sa

from attendance.database.engine import create_database_engine, upgrade


@cache
def migrated_file() -> Path:
    """An SQLite file with every table and no rows, made once a process; to be copied."""
    folder = tempfile.mkdtemp(prefix="migrated-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    path = Path(folder) / "attendance.db"
    engine = create_database_engine(f"sqlite:///{path}")
    upgrade(engine)
    engine.dispose()
    return path


def make_tables(engine: sa.Engine) -> None:
    """Bring a new database to the newest schema: an SQLite file by copying, another by its migrations."""
    name = engine.url.database
    if engine.url.get_backend_name() == "sqlite" and name and not Path(name).exists():
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(migrated_file(), name)
    else:
        upgrade(engine)
