"""The machine: disk, clock, the outbox, and whether the programs answer."""

import ctypes
import os
import shutil
import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

from attendance.settings import Settings
from operations.doctor.findings import Finding, ok, problem, warning
from operations.listening import Program, programs_here

_DISK_WARNING, _DISK_PROBLEM = 5 * 1024**3, 512 * 1024**2
_OUTBOX_LATE = timedelta(minutes=10)
_TIME_ERROR = 5
"""adjtimex(2): the clock is not synchronised to a reliable source."""


def examine_disk(settings: Settings) -> list[Finding]:
    """Free space, and whether this account may write the data folder."""
    folder = settings.data.directory.absolute()
    if not folder.is_dir():
        text = f"the data folder {folder} does not exist"
        return [problem("disk", text, "Set ATTENDANCE_DATA_DIRECTORY, or create it for the account of the service.")]
    if not os.access(folder, os.W_OK | os.X_OK):
        text = f"this account may not write the data folder {folder}"
        return [problem("disk", text, "Run the programs, and this examination, as the folder's owner.")]
    free = shutil.disk_usage(folder).free
    shown = f"{free / 1024**3:.1f} GiB free in {folder}"
    remedy = "Make room: old backups, logs, `attendance purge`. A full disk stops attendance from being taken."
    if free < _DISK_PROBLEM:
        return [problem("disk", shown, remedy)]
    return [warning("disk", shown, remedy) if free < _DISK_WARNING else ok("disk", shown)]


def examine_zone(settings: Settings) -> list[Finding]:
    """Whether the institution's time zone was left at what it is at first."""
    told = settings.institution.zone_warning
    return [] if told is None else [warning("time zone", told, "Set ATTENDANCE_INSTITUTION_TIMEZONE, or Etc/UTC.")]


def examine_clock(settings: Settings) -> list[Finding]:
    """Whether the kernel's clock is synchronised, by adjtimex(2) of Linux."""
    del settings  # every examination takes them
    libc = ctypes.CDLL(None, use_errno=True)
    # struct timex: modes = 0 only reads. 208 bytes on 64-bit Linux; more does no harm.
    state = libc.adjtimex(ctypes.create_string_buffer(512))
    if state == _TIME_ERROR:
        text = "this machine's is not synchronised: cameras and sessions may disagree about the time"
        return [warning("clock", text, "Run a time service (for example chrony or systemd-timesyncd).")]
    return [ok("clock", "synchronised")] if state >= 0 else []


def examine_outbox(settings: Settings) -> list[Finding]:
    """How many sightings wait for the database, and for how long."""
    found = [finding for path in settings.outbox_paths for finding in _outbox(path)]
    kept = settings.data.directory / "serve"
    if not found and kept.is_dir() and not os.access(kept, os.R_OK | os.X_OK):
        says = "the metric attendance_outbox_oldest_seconds of each service says how long sightings have waited"
        return [ok("outbox", f"in {kept}, which only the services' account reads: {says}")]
    return found or [ok("outbox", "none yet: the service has not run here")]


def _outbox(path: Path) -> list[Finding]:
    damaged = "Stop the service and move the file away; what it held that the database had not yet is lost."
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=10)) as connection:
            (state,) = connection.execute("PRAGMA quick_check(1)").fetchone()
            depth, oldest = connection.execute("SELECT count(*), min(queued_at) FROM sighting").fetchone()
    except sqlite3.Error as error:
        return [problem("outbox", f"{path} cannot be used: {error}", damaged)]
    if state != "ok":
        return [problem("outbox", f"{path} is damaged: {state}", damaged)]
    age = datetime.now(UTC) - datetime.fromtimestamp(oldest / 1e6, UTC) if oldest is not None else timedelta(0)
    if age > _OUTBOX_LATE:
        minutes = age.total_seconds() / 60
        text = f"{path.name}: {depth} sightings wait for the database, the oldest since {minutes:.0f} minutes"
        return [problem("outbox", text, "See whether the service runs, and whether it reaches the database (its log).")]
    return [ok("outbox", f"{path.name}: {depth} sightings wait for the database")]


def examine_programs(settings: Settings) -> list[Finding]:
    """Whether somebody listens where the service and the dashboard should."""
    return [_program(program) for program in programs_here(settings)]


def _program(program: Program) -> Finding:
    if program.listens:
        return ok(program.name, f"listens at {program.address}")
    remedy = f"Start it (`{program.command}`), or see why it ended in its log."
    return warning(program.name, f"nobody listens at {program.address}", remedy)
