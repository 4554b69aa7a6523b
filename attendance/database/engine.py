"""Connections to the database, and bringing its schema up to date."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.orm import Session, sessionmaker
from sqlalchemy.pool import ConnectionPoolEntry

from attendance.database.audit.protection import protect_log
from attendance.database.migrations.revisions import known_revisions
from attendance.errors import AttendanceError
from attendance.private_files import close_to_others, make_private_file, make_private_folder
from attendance.settings.attendance import AttendanceSettings

if TYPE_CHECKING:
    from alembic.config import Config

_SETTING = "ATTENDANCE_DATABASE_URL"
_SQLITE = ("sqlite", "sqlite+pysqlite")
_SERVERS = ("mysql+pymysql", "mariadb+pymysql")
_ESCAPING = (
    "In the user's name and the password of an address, % is written %25, @ is %40, : is %3A, / is %2F, ? is %3F and "
    "# is %23"
)
_ACCESS_DENIED = 1045
"""https://mariadb.com/kb/en/mariadb-error-code-reference/, ER_ACCESS_DENIED_ERROR"""
_RULES = "rules of attendance"
_MIGRATIONS = Path(__file__).with_name("migrations")
_VERSION = sa.table("alembic_version", sa.column("version_num", sa.String))
BEGIN_MODE = "sqlite_begin"
"""The execution option that says how SQLite begins a transaction: DEFERRED or IMMEDIATE."""


class DatabaseError(AttendanceError):
    """The database cannot be used; the message says why and what to do, and holds no password."""


class LossyDowngradeError(DatabaseError):
    """The way back to an older schema would lose rows; the message says which."""


def create_database_engine(
    url: str, *, pool_size: int = 5, name: str = _SETTING, patience_s: float | None = None
) -> sa.Engine:
    """Connect to SQLite, MySQL or MariaDB; nothing is opened or made yet.

    Args:
        url: SQLAlchemy's form, e.g. "sqlite:///attendance.db", "mysql+pymysql://user:password@host/name".
        pool_size: connections kept open (MySQL and MariaDB).
        name: where the address was given, for messages.
        patience_s: longest wait for a connection, and for each answer; none is kept open then. None: as long as work
            may take.

    Raises:
        DatabaseError: the address is not one, or names another kind of database.
    """
    address = parse_address(url, name=name)
    if address.get_backend_name() == "sqlite":
        return _sqlite(address, patience_s)
    return _mysql(address, pool_size, patience_s)


def parse_address(url: str, *, name: str = _SETTING) -> sa.URL:
    """Take a database's address apart.

    Args:
        url: as for `create_database_engine`.
        name: where it was given, for messages.

    Raises:
        DatabaseError: it is none, or names another kind of database. The message shows no part of it that may be one of
            the password.
    """
    kind, _, rest = url.partition("://")
    if kind in _SERVERS and rest.count("@") > 1:  # SQLAlchemy takes the first: the rest of the password is a host
        raise DatabaseError(f"{name} holds more than one @. {_ESCAPING}")
    try:
        address = sa.make_url(url)
    except (sa.exc.ArgumentError, ValueError):  # ValueError: a port that is no number
        raise DatabaseError(f"{name} is no database address, e.g. mysql+pymysql://user:password@host/name") from None
    if address.drivername not in (*_SQLITE, *_SERVERS):
        raise DatabaseError(f"{name} begins with {address.drivername}://; use sqlite:/// or mysql+pymysql://")
    return address


def shown(engine: sa.Engine) -> str:
    """The address of a database for a person: without its password, and without options, which may hold others."""
    return engine.url.set(query={}).render_as_string(hide_password=True)


def address_file(url: str) -> Path | None:
    """The same as `sqlite_file`, told by a database's address.

    Raises:
        DatabaseError: as for `parse_address`.
    """
    return _file_of(parse_address(url))


def session_factory(engine: sa.Engine, rules: AttendanceSettings | None = None) -> sessionmaker[Session]:
    """Sessions whose objects may be read after the commit.

    Args:
        engine: of the database.
        rules: what the machine may conclude through these sessions (`rules_of`); the defaults unless given. Every
            program hands on its settings, so that all decide alike.
    """
    return sessionmaker(engine, expire_on_commit=False, info={_RULES: rules or AttendanceSettings()})


def rules_of(db: Session) -> AttendanceSettings:
    """What the machine may conclude, as whoever made the session's factory was told."""
    rules = db.info.get(_RULES)
    return rules if isinstance(rules, AttendanceSettings) else AttendanceSettings()


def begin_writing(db: Session) -> None:
    """Begin a transaction that reads and then writes; must come first in it.

    On SQLite it takes the write lock at once and waits for it. A transaction that has read and then wants to write is
    refused at once when another process has written meanwhile (https://www.sqlite.org/rescode.html#busy_snapshot).
    Elsewhere it changes nothing.
    """
    db.connection(execution_options={BEGIN_MODE: "IMMEDIATE"})


def sqlite_file(engine: sa.Engine) -> Path | None:
    """The file of an SQLite database; None for one in memory, one with an address of SQLite's own, or a server's."""
    return _file_of(engine.url)


def _file_of(address: sa.URL) -> Path | None:
    name = address.database
    if address.get_backend_name() != "sqlite" or not name or name == ":memory:" or name.startswith("file:"):
        return None
    return Path(name)


def make_database_file(engine: sa.Engine) -> None:
    """Make the empty file of an SQLite database, and its folder, unless they are there, for this account only.

    Raises:
        DatabaseError: the disk refuses.
    """
    file = sqlite_file(engine)
    if file is None or file.exists():
        return
    try:
        make_private_folder(file.parent)
    except OSError as error:
        raise DatabaseError(f"cannot make the folder {file.parent} of the database: {error.strerror}") from None
    try:
        make_private_file(file)
    except OSError as error:
        raise DatabaseError(f"cannot make the database {file}: {error.strerror}") from None


def upgrade(engine: sa.Engine, revision: str = "head") -> None:
    """Bring the schema to a revision, the newest unless told otherwise; does nothing when it is there already.

    What keeps the audit log from being changed is made where it is missing.

    Raises:
        DatabaseError: the database cannot be reached, or it or this version does not know the revision.
    """
    make_database_file(engine)
    _migrate(engine, "upgrade", revision)
    protect_log(engine)


def downgrade(engine: sa.Engine, revision: str, *, lossy: bool = False) -> None:
    """Take the schema back to a revision; "base" removes every table.

    Args:
        engine: of the database.
        revision: the one to go back to.
        lossy: whether rows may go that the schema before has no place for.

    Raises:
        LossyDowngradeError: there are such rows, and `lossy` is not set; nothing is done.
        DatabaseError: the database cannot be reached, or it or this version does not know the revision.
    """
    losses = losses_of_downgrade(engine, revision)
    if losses and not lossy:
        raise LossyDowngradeError("the schema before has no place for: " + "; ".join(losses))
    _migrate(engine, "downgrade", revision)


def losses_of_downgrade(engine: sa.Engine, revision: str) -> list[str]:
    """What the database holds now that goes on the way back to a revision, in words with numbers.

    A migration whose way back loses rows has a function `losses`, which is given the connection, on the newest schema,
    and says in phrases what would go.

    Raises:
        DatabaseError: the database cannot be reached, or it or this version does not know the revision.
    """
    from alembic.script import ScriptDirectory  # noqa: PLC0415 - programs that migrate nothing start without it
    from alembic.script.revision import RevisionError  # noqa: PLC0415

    current = current_revision(engine)
    if current is None:
        return []
    scripts = ScriptDirectory.from_config(_alembic())
    try:
        steps = list(scripts.iterate_revisions(current, revision))
        with engine.connect() as connection:
            return [loss for step in steps if hasattr(step.module, "losses") for loss in step.module.losses(connection)]
    except sa.exc.DBAPIError as error:
        raise DatabaseError(_unreachable(engine, error)) from None
    except RevisionError:
        known = f"this version knows revisions up to {newest_revision()}"
        raise DatabaseError(f"Can't locate revision identified by {revision!r}; {known}") from None


def current_revision(engine: sa.Engine) -> str | None:
    """The revision of the schema, None before the first upgrade. An SQLite file that is not there is not made.

    Raises:
        DatabaseError: the database cannot be reached.
    """
    file = sqlite_file(engine)
    if file is not None and not file.exists():
        return None
    try:
        with engine.connect() as connection:
            if not sa.inspect(connection).has_table(_VERSION.name):
                return None
            revision: str | None = connection.scalar(sa.select(_VERSION.c.version_num))
            return revision
    except sa.exc.DBAPIError as error:
        raise DatabaseError(_unreachable(engine, error)) from None


def newest_revision() -> str:
    """The revision that this version of the product needs."""
    known = known_revisions(_MIGRATIONS)
    newest = known.keys() - known.values()
    if len(newest) != 1:
        raise DatabaseError(f"this installation's migrations have {len(newest)} ends: {', '.join(sorted(newest))}")
    return newest.pop()


def require_current_schema(engine: sa.Engine) -> None:
    """Check that the schema is the one that this version needs.

    Raises:
        DatabaseError: it is not, or the database cannot be reached.
    """
    current, newest = current_revision(engine), newest_revision()
    if current is None:
        raise DatabaseError(f"the database {shown(engine)} has no tables yet: run `attendance db upgrade`")
    if current not in known_revisions(_MIGRATIONS):
        raise DatabaseError(
            f"the schema of the database {shown(engine)} is {current}, which this version does not know: install the "
            "version that made it"
        )
    if current != newest:
        raise DatabaseError(
            f"the schema of the database {shown(engine)} is {current}, this version needs {newest}: run "
            "`attendance db upgrade`"
        )


def _sqlite(address: sa.URL, patience_s: float | None) -> sa.Engine:
    pool = {} if patience_s is None else {"poolclass": sa.NullPool}
    engine = sa.create_engine(address, connect_args={"timeout": patience_s or 30}, hide_parameters=True, **pool)

    @sa.event.listens_for(engine, "do_connect")
    def _open(_dialect: sa.Dialect, _entry: ConnectionPoolEntry, arguments: list[Any], named: dict[str, Any]) -> None:
        file = sqlite_file(engine)
        if file is not None:
            close_to_others(file, *(file.with_name(file.name + suffix) for suffix in ("-wal", "-shm", "-journal")))
            # Without it SQLite would make an empty file for whoever looks: https://www.sqlite.org/uri.html
            arguments[0], named["uri"] = f"{file.absolute().as_uri()}?mode=rw", True

    @sa.event.listens_for(engine, "begin")
    def _begin(connection: sa.Connection) -> None:
        connection.exec_driver_sql(f"BEGIN {connection.get_execution_options().get(BEGIN_MODE, 'DEFERRED')}")

    @sa.event.listens_for(engine, "connect")
    def _prepare(connection: DBAPIConnection, _entry: ConnectionPoolEntry) -> None:
        # The driver begins no transaction of its own: `_begin` does, in the right mode, and savepoints work.
        connection.isolation_level = None
        cursor = connection.cursor()
        # WAL: the dashboard reads while the service writes. FULL: what was committed survives a power cut.
        # secure_delete: photos and names that were deleted do not stay readable in the file's free pages.
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "secure_delete=ON"):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    return engine


def _mysql(address: sa.URL, pool_size: int, patience_s: float | None) -> sa.Engine:
    address = address.update_query_dict({"charset": "utf8mb4"})
    if patience_s is not None:
        timeouts = dict.fromkeys(("connect_timeout", "read_timeout", "write_timeout"), patience_s)
        return sa.create_engine(address, poolclass=sa.NullPool, connect_args=timeouts, hide_parameters=True)
    return sa.create_engine(
        address,
        pool_size=pool_size,
        max_overflow=pool_size,
        pool_pre_ping=True,  # a restarted server costs one ping, not a failed request
        pool_recycle=1800,  # below MySQL's wait_timeout
        # READ COMMITTED: a retry after a lost race must see the row that won it.
        isolation_level="READ COMMITTED",
        hide_parameters=True,  # an error's text reaches logs: it must hold no name, secret or hash
        connect_args={"connect_timeout": 10, "read_timeout": 60, "write_timeout": 60},
    )


def _alembic() -> "Config":
    from alembic.config import Config  # noqa: PLC0415 - programs that migrate nothing start without it

    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    config.set_main_option("recursive_version_locations", "true")  # older revisions lie in folders, twenty in each
    return config


def _migrate(engine: sa.Engine, way: str, revision: str) -> None:
    from alembic import command  # noqa: PLC0415 - programs that migrate nothing start without it
    from alembic.util.exc import CommandError  # noqa: PLC0415

    config = _alembic()
    try:
        with engine.connect() as connection, _foreign_keys_off(connection):
            config.attributes["connection"] = connection
            getattr(command, way)(config, revision)
    except sa.exc.DBAPIError as error:
        raise DatabaseError(_unreachable(engine, error)) from None
    except CommandError as error:
        raise DatabaseError(f"{error}; this version knows revisions up to {newest_revision()}") from None


@contextmanager
def _foreign_keys_off(connection: sa.Connection) -> Iterator[None]:
    """Let a migration copy and drop an SQLite table without the rows that refer to it going too.

    SQLite deletes a table's rows when it drops the table, and what refers to them "on delete cascade" with them:
    https://www.sqlite.org/lang_altertable.html#otheralter begins by switching foreign keys off, outside a transaction.
    """
    if connection.dialect.name != "sqlite":
        yield
        return
    # Past SQLAlchemy, which would begin a transaction first.
    cursor = connection.connection.cursor()
    cursor.execute("PRAGMA foreign_keys=OFF")
    try:
        yield
    finally:
        connection.rollback()
        cursor.execute("PRAGMA foreign_keys=ON")
        cursor.close()


def _unreachable(engine: sa.Engine, error: sa.exc.DBAPIError) -> str:
    refused = error.orig is not None and error.orig.args[:1] == (_ACCESS_DENIED,)
    advice = f". {_ESCAPING}" if refused and engine.url.password else ""
    return f"the database {shown(engine)} cannot be used: {error.orig}{advice}"
