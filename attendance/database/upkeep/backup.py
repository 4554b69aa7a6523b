"""Backups of the database: SQLite's online backup, or the dump that MariaDB's and MySQL's own program writes.

Beside each lies its digest (`digests`), so that a restore knows that every byte is as it was written.
"""

import gzip
import os
import re
import shutil
import sqlite3
import subprocess
import tempfile
import zlib
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

import sqlalchemy as sa

from attendance.database.engine import (
    DatabaseError,
    current_revision,
    make_database_file,
    newest_revision,
    sqlite_file,
)
from attendance.database.models import Base
from attendance.database.upkeep.digests import digest_file_of, has_its_digest, write_digest
from attendance.private_files import make_private_folder

_PREFIX = "attendance-"
_TIME = "%Y%m%dT%H%M%SZ"
_SUFFIXES = {"sqlite": ".sqlite", "mysql": ".sql.gz", "mariadb": ".sql.gz"}
_FINISHED = b"-- Dump completed"
_REVISION = re.compile(rb"INSERT INTO `alembic_version`[^;]{0,80}?\('(\w{1,32})'\)")
"""The dump's own line that says of which schema it is."""
_GZIP_LEVEL = 6


def backup(engine: sa.Engine, folder: Path, now: datetime) -> Path:
    """Write a backup of the whole database into a folder, while others read and write.

    It appears whole or not at all, with its digest beside it, readable by this account only.

    Args:
        engine: the database.
        folder: made if it is not there.
        now: aware; names the file.

    Raises:
        DatabaseError: the database has no tables or cannot be read, its dump program is missing, or the disk refuses.
    """
    if current_revision(engine) is None:
        raise DatabaseError("the database has no tables yet: there is nothing to back up")
    name = f"{_PREFIX}{now:{_TIME}}{_SUFFIXES[engine.dialect.name]}"
    try:
        make_private_folder(folder)
        with _appearing(folder / name) as unfinished:
            if engine.dialect.name == "sqlite":
                _copy_sqlite(_sqlite_file(engine), unfinished)
                _leave_one_file(unfinished)
            else:
                _dump(engine.url, unfinished)
            write_digest(unfinished, folder / name)
    except OSError as error:
        raise DatabaseError(f"cannot write the backup {folder / name}: {error.strerror or error}") from None
    return folder / name


def backups_in(folder: Path) -> list[Path]:
    """The backups that `backup` wrote into a folder, oldest first."""
    return sorted(path for path in folder.glob(f"{_PREFIX}*Z.*") if path.name.endswith(tuple(_SUFFIXES.values())))


def written_at(backup: Path) -> datetime | None:
    """When a backup was written, as its name says; aware. None: it says nothing."""
    try:
        return datetime.strptime(backup.name.partition(".")[0], f"{_PREFIX}{_TIME}").replace(tzinfo=UTC)
    except ValueError:
        return None


def delete_older_backups(folder: Path, *, keep: int) -> list[Path]:
    """Delete all but the newest backups of a folder; other files are left alone.

    Args:
        folder: where `backup` wrote them.
        keep: how many stay, at least 1.

    Returns:
        What was deleted.
    """
    older = backups_in(folder)[: -max(keep, 1)]
    for path in older:
        path.unlink(missing_ok=True)
        digest_file_of(path).unlink(missing_ok=True)
    return older


def require_whole(file: Path, kind: str) -> bool:
    """Check a backup, every byte of it; nothing else is touched.

    Args:
        file: as `backup` wrote it.
        kind: of the database that it shall be restored into: sqlite, mysql or mariadb.

    Returns:
        Whether its bytes were held against its digest; backups of versions before this have none.

    Raises:
        DatabaseError: the file is no backup of this kind of database, is damaged or cut short, or was made by a newer
            version.
    """
    if not file.name.endswith(_SUFFIXES[kind]):
        raise DatabaseError(f"{file} is no backup of this kind of database: its name ends in {_SUFFIXES[kind]}")
    try:
        told = has_its_digest(file)
        _require_readable(file, kind)
    except zlib.error as error:
        raise DatabaseError(f"the backup {file} is damaged: {error}") from None
    except (OSError, EOFError) as error:  # EOFError: gzip's word for a file cut short
        raise DatabaseError(f"cannot read the backup {file}: {getattr(error, 'strerror', None) or error}") from None
    return told


def restore(engine: sa.Engine, file: Path, *, replace: bool = False) -> bool:
    """Put a backup in the place of the database's contents; it is checked first, and nothing is done if it is damaged.

    Stop the programs first, or what they write in between is lost. The schema is the backup's: upgrade it afterwards.

    Args:
        engine: the database; of the kind that the backup was made of.
        file: as `backup` wrote it.
        replace: whether rows that are there may go.

    Returns:
        Whether the backup had a digest to be held against, as `require_whole` does.

    Raises:
        DatabaseError: the file is no whole backup of this kind of database, or was made by a newer version, or the
            database holds rows and `replace` is not given, or it cannot be written.
    """
    kind = engine.dialect.name
    told = require_whole(file, kind)
    make_database_file(engine)
    if not replace:
        _require_no_rows(engine)
    if kind == "sqlite":
        target = _sqlite_file(engine)
        engine.dispose()
        _copy_sqlite(file, target)
    else:
        _load(engine, file)
    if current_revision(engine) is None:
        raise DatabaseError(f"the backup {file} holds no schema of this system")
    return told


@contextmanager
def _appearing(path: Path) -> Iterator[Path]:
    """A file beside `path` that takes its name when the block ends well and the disk has it."""
    handle, name = tempfile.mkstemp(prefix=".unfinished-", dir=path.parent)  # for this account only
    os.close(handle)
    unfinished = Path(name)
    try:
        yield unfinished
        with unfinished.open("rb") as file:
            os.fsync(file.fileno())
        unfinished.rename(path)
    finally:
        unfinished.unlink(missing_ok=True)


def _sqlite_file(engine: sa.Engine) -> Path:
    file = sqlite_file(engine)
    if file is None:
        raise DatabaseError("a database in memory has no backup")
    return file


def _copy_sqlite(source: Path, target: Path) -> None:
    """Copy by SQLite's online backup (https://www.sqlite.org/backup.html): a consistent state, others go on."""
    try:
        with (
            closing(sqlite3.connect(f"{source.absolute().as_uri()}?mode=ro", uri=True, timeout=30)) as reading,
            closing(sqlite3.connect(target, timeout=30)) as writing,
        ):
            reading.backup(writing)
            if writing.execute("PRAGMA integrity_check").fetchone() != ("ok",):
                raise DatabaseError(f"the database {source} is damaged: {target} would be too")
    except sqlite3.Error as error:
        raise DatabaseError(f"cannot copy {source} to {target}: {error}") from None


def _leave_one_file(database: Path) -> None:
    """Take a copy out of WAL mode, so that no log lies beside it."""
    with closing(sqlite3.connect(database)) as connection:
        connection.execute("PRAGMA journal_mode=DELETE")


def _require_readable(file: Path, kind: str) -> None:
    """Read it to its end, whatever its digest says: it may be one of before there were digests."""
    if not file.is_file():
        raise DatabaseError(f"there is no backup {file}")
    _require_known_schema(file, _revision_in_file(file) if kind == "sqlite" else _revision_in_dump(file))


def _require_known_schema(file: Path, revision: str | None) -> None:
    if revision is None:
        raise DatabaseError(f"the backup {file} holds no schema of this system")
    if revision > newest_revision():
        raise DatabaseError(f"the backup {file} was made by a newer version: install that one")


def _revision_in_dump(file: Path) -> str | None:
    """The schema of a dump, which is read to its end."""
    revision, end = None, b""
    with gzip.open(file, "rb") as dump:
        while part := dump.read(1 << 20):
            if found := _REVISION.search(end + part):
                revision = found[1].decode("ascii")
            end = (end + part)[-200:]
    if _FINISHED not in end:
        raise DatabaseError(f"the backup {file} is cut short: its last line is missing")
    return revision


def _revision_in_file(file: Path) -> str | None:
    """The schema of a database's file, of which every page is looked at."""
    try:
        with closing(sqlite3.connect(f"{file.absolute().as_uri()}?mode=ro", uri=True)) as connection:
            (found,) = connection.execute("PRAGMA integrity_check").fetchone()
            if found != "ok":
                raise DatabaseError(f"the backup {file} is damaged: {found}")
            revision = connection.execute("SELECT version_num FROM alembic_version").fetchone()
    except (sqlite3.Error, UnicodeDecodeError) as error:
        raise DatabaseError(f"the backup {file} cannot be used: {error}") from None
    return None if revision is None else str(revision[0])


def _require_no_rows(engine: sa.Engine) -> None:
    inspector = sa.inspect(engine)
    tables = [table for table in Base.metadata.sorted_tables if inspector.has_table(table.name)]
    with engine.connect() as connection:
        for table in tables:
            if connection.execute(sa.select(sa.literal(1)).select_from(table).limit(1)).first() is not None:
                raise DatabaseError(f"the database holds rows (in the table {table.name}); --replace lets them go")


def _dump(url: sa.URL, file: Path) -> None:
    program = _program("mariadb-dump", "mysqldump")
    # One transaction: the dump is of one moment and locks nobody out. Triggers name the account that made them, which
    # the server of a restore may not know; `upgrade` makes ours again.
    options = ["--single-transaction", "--quick", "--hex-blob", "--skip-lock-tables", "--no-tablespaces"]
    options.append("--skip-triggers")
    with _options_file(url) as defaults, gzip.open(file, "wb", _GZIP_LEVEL) as out:
        command = [program, f"--defaults-extra-file={defaults}", *options, "--default-character-set=utf8mb4"]
        with subprocess.Popen(  # noqa: S603 - a fixed program; the name of the database comes from the settings
            [*command, "--", str(url.database)], stdout=subprocess.PIPE, stderr=subprocess.PIPE
        ) as process:
            stdout, stderr = _pipes(process)
            shutil.copyfileobj(stdout, out)
            said = stderr.read().decode(errors="replace").strip()
        if process.returncode != 0:
            raise DatabaseError(f"{Path(program).name} failed: {said}")
    _revision_in_dump(file)


def _load(engine: sa.Engine, file: Path) -> None:
    program = _program("mariadb", "mysql")
    _drop_tables(engine)
    with _options_file(engine.url) as defaults, gzip.open(file, "rb") as dump:
        command = [program, f"--defaults-extra-file={defaults}", "--default-character-set=utf8mb4", "--batch"]
        with subprocess.Popen(  # noqa: S603 - as above
            [*command, "--", str(engine.url.database)], stdin=subprocess.PIPE, stderr=subprocess.PIPE
        ) as process:
            if process.stdin is None:
                raise AssertionError("asked for above")
            try:
                shutil.copyfileobj(dump, process.stdin)
                process.stdin.close()
            except BrokenPipeError:
                pass  # what the program says is more to the point
            said = process.stderr.read().decode(errors="replace").strip() if process.stderr else ""
        if process.returncode != 0:
            raise DatabaseError(f"{Path(program).name} failed: {said}; the database is incomplete, restore again")


def _drop_tables(engine: sa.Engine) -> None:
    """Remove the tables of this system, so that those of a newer schema do not stay beside the restored ones."""
    ours = {table.name for table in Base.metadata.sorted_tables} | {"alembic_version"}
    with engine.begin() as connection:
        there = ours & set(sa.inspect(connection).get_table_names())
        connection.exec_driver_sql("SET FOREIGN_KEY_CHECKS=0")
        for name in sorted(there):
            connection.exec_driver_sql(f"DROP TABLE `{name}`")
        connection.exec_driver_sql("SET FOREIGN_KEY_CHECKS=1")


def _pipes(process: subprocess.Popen[bytes]) -> tuple[BinaryIO, BinaryIO]:
    if process.stdout is None or process.stderr is None:
        raise AssertionError("both were asked for")
    return process.stdout, process.stderr  # type: ignore[return-value]  # IO[bytes]: typeshed's name for the same


def _program(*names: str) -> str:
    for name in names:
        if found := shutil.which(name):
            return found
    raise DatabaseError(f"the program {names[0]} is missing: sudo apt-get install mariadb-client")


@contextmanager
def _options_file(url: sa.URL) -> Iterator[Path]:
    """The address as an options file for this account only: a password on a command line is for all to read."""
    values: dict[str, object] = {"host": url.host, "port": url.port, "user": url.username, "password": url.password}
    names = {"unix_socket": "socket", "ssl_ca": "ssl-ca", "ssl_cert": "ssl-cert", "ssl_key": "ssl-key"}
    values |= {names[key]: value for key, value in url.query.items() if key in names}
    lines = [f'{key}="{_quoted(str(value))}"' for key, value in values.items() if value is not None]
    with tempfile.NamedTemporaryFile("w", prefix="attendance-", suffix=".cnf", encoding="utf-8") as file:
        file.write("[client]\n" + "\n".join(lines) + "\n")
        file.flush()
        yield Path(file.name)


def _quoted(value: str) -> str:
    # https://mariadb.com/kb/en/configuring-mariadb-with-option-files/#option-file-syntax
    return value.replace("\\", "\\\\").replace('"', '\\"')
