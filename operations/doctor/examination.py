"""The examination of a whole installation."""

from collections.abc import Callable, Iterator

from attendance.face_engine.interface import EngineInfo
from attendance.parts import how_to_install
from attendance.settings import Settings
from operations.doctor.backups import examine_backups
from operations.doctor.cameras import examine_cameras
from operations.doctor.certificates import examine_certificates
from operations.doctor.database import examine_answer, examine_database
from operations.doctor.findings import Finding, problem, warning
from operations.doctor.gallery import (
    examine_distances,
    examine_engine,
    examine_enrolment,
    examine_index,
    examine_recognisable,
    examine_store,
)
from operations.doctor.machine import (
    examine_clock,
    examine_disk,
    examine_outbox,
    examine_programs,
    examine_zone,
)
from operations.doctor.mail import examine_mail
from operations.doctor.outgoing import examine_outgoing
from operations.doctor.services import examine_services, examine_source

_OURS = frozenset({"attendance", "operations", "webapp"})


def examine(settings: Settings) -> Iterator[Finding]:
    """Examine everything, one thing after the other; what fails to be examined is a problem, not an end."""
    yield from _safely("disk", lambda: examine_disk(settings))
    yield from _safely("clock", lambda: examine_clock(settings))
    yield from _safely("certificate", lambda: examine_certificates(settings))
    frozen = _safely("database", lambda: examine_answer(settings))
    yield from frozen or _safely("database", lambda: examine_database(settings))
    facts: EngineInfo | None = None

    def engine() -> list[Finding]:
        nonlocal facts
        found, facts = examine_engine(settings)
        return found

    yield from _safely("settings", lambda: examine_zone(settings))
    yield from _safely("settings", lambda: examine_distances(settings))
    yield from _safely("model", engine)
    yield from _safely("index", lambda: examine_index(settings, facts))
    yield from _safely("index source", lambda: examine_source(settings))
    yield from _safely("store", lambda: examine_store(settings))
    yield from _safely("outbox", lambda: examine_outbox(settings))
    if not frozen:
        yield from _safely("services", lambda: examine_services(settings))
        yield from _safely("enrolment", lambda: examine_enrolment(settings))
        yield from _safely("recognisable", lambda: examine_recognisable(settings))
        yield from _safely("cameras", lambda: examine_cameras(settings))
        yield from _safely("backup", lambda: examine_backups(settings))
        yield from _safely("mail", lambda: examine_mail(settings))
        yield from _safely("worker", lambda: examine_outgoing(settings))
        yield from _safely("sign-in", lambda: _provider(settings))
    yield from _safely("programs", lambda: examine_programs(settings))


def _provider(settings: Settings) -> list[Finding]:
    """The sign-in at the provider, where the dashboard is installed, which knows how to ask it."""
    try:
        from operations.doctor.provider import examine_provider  # noqa: PLC0415 - of another extra than the doctor
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] in _OURS:
            raise
        if not settings.oidc.on:
            return []
        text = f"the provider was not asked from here: {how_to_install('web')}"
        return [warning("sign-in", text, "Run `attendance doctor` on the machine of the dashboard, too.")]
    return examine_provider(settings)


def _safely(subject: str, examination: Callable[[], list[Finding]]) -> list[Finding]:
    try:
        return examination()
    except Exception as error:
        text = f"could not be examined: {type(error).__name__}: {error}"
        return [problem(subject, text, "Tell whoever maintains the software.")]
