"""Every setting of the system, with its type, bounds, default and meaning.

A setting `key` of section `section` is the environment variable `ATTENDANCE_<SECTION>_<KEY>` or `key` under
`[section]` in the TOML file; one of `[matching.dlib]` is `ATTENDANCE_MATCHING_DLIB_<KEY>`. Wrong values and unknown
names are refused at start.
"""

from pathlib import Path

from pydantic import model_validator

from attendance.settings.api import ApiSettings
from attendance.settings.attendance import AttendanceSettings, LateFrames
from attendance.settings.camera import CameraSettings
from attendance.settings.engine import (
    DetectorName,
    EncoderPrecision,
    EngineName,
    EngineRuntime,
    EngineSettings,
    ModelsName,
    Precision,
    SearchName,
)
from attendance.settings.families import Family, FamilyError, FamilyNumbers
from attendance.settings.installation import (
    DatabaseSettings,
    DataSettings,
    GallerySettings,
    InstitutionSettings,
    LogFormat,
    LogSettings,
    RetentionSettings,
)
from attendance.settings.mail import MailSecurity, MailSettings
from attendance.settings.matching import DistanceSettings, MatchingRules, MatchingSettings
from attendance.settings.oidc import ClientAuth, OidcSettings, StudentField
from attendance.settings.recordings import RecordingsSettings
from attendance.settings.replica import ReplicaSettings
from attendance.settings.section import Section
from attendance.settings.service import ServiceSettings, TimeoutAction
from attendance.settings.students import StudentsSettings
from attendance.settings.web import WebSettings

__all__ = [
    "ApiSettings",
    "AttendanceSettings",
    "CameraSettings",
    "ClientAuth",
    "DataSettings",
    "DatabaseSettings",
    "DetectorName",
    "DistanceSettings",
    "EncoderPrecision",
    "EngineName",
    "EngineRuntime",
    "EngineSettings",
    "Family",
    "FamilyError",
    "FamilyNumbers",
    "GallerySettings",
    "InstitutionSettings",
    "LateFrames",
    "LogFormat",
    "LogSettings",
    "MailSecurity",
    "MailSettings",
    "MatchingRules",
    "MatchingSettings",
    "ModelsName",
    "OidcSettings",
    "Precision",
    "RecordingsSettings",
    "ReplicaSettings",
    "RetentionSettings",
    "SearchName",
    "ServiceSettings",
    "Settings",
    "StudentField",
    "StudentsSettings",
    "TimeoutAction",
    "WebSettings",
]


class Settings(Section):
    """All sections; frozen once read."""

    institution: InstitutionSettings = InstitutionSettings()
    data: DataSettings = DataSettings()
    database: DatabaseSettings = DatabaseSettings()
    engine: EngineSettings = EngineSettings()
    gallery: GallerySettings = GallerySettings()
    matching: MatchingSettings = MatchingSettings()
    attendance: AttendanceSettings = AttendanceSettings()
    service: ServiceSettings = ServiceSettings()
    replica: ReplicaSettings = ReplicaSettings()
    recordings: RecordingsSettings = RecordingsSettings()
    camera: CameraSettings = CameraSettings()
    web: WebSettings = WebSettings()
    oidc: OidcSettings = OidcSettings()
    api: ApiSettings = ApiSettings()
    mail: MailSettings = MailSettings()
    students: StudentsSettings = StudentsSettings()
    retention: RetentionSettings = RetentionSettings()
    log: LogSettings = LogSettings()

    @model_validator(mode="after")
    def _links_lead_somewhere(self) -> "Settings":
        if self.mail.on and not self.web.address:
            raise ValueError(
                "ATTENDANCE_WEB_ADDRESS: must be set where ATTENDANCE_MAIL_HOST is: mail holds links to the dashboard"
            )
        return self

    @model_validator(mode="after")
    def _provider_leads_back(self) -> "Settings":
        if self.oidc.on and not self.web.address:
            raise ValueError(
                "ATTENDANCE_WEB_ADDRESS: must be set where ATTENDANCE_OIDC_ISSUER is: the provider leads people back"
            )
        return self

    @model_validator(mode="after")
    def _copy_is_no_original(self) -> "Settings":
        folder = self.replica.folder
        if folder is not None and folder.absolute() == self.index_path.absolute():
            raise ValueError(
                "ATTENDANCE_REPLICA_FOLDER: is ATTENDANCE_GALLERY_INDEX, too: one is copied into the other"
            )
        return self

    @property
    def database_url(self) -> str:
        """The SQLAlchemy address, SQLite in the data folder unless set. Holds the password: never log it."""
        if self.database.url is not None:
            return self.database.url.get_secret_value()
        return f"sqlite:///{self.data.directory.absolute() / 'attendance.db'}"

    @property
    def store_path(self) -> Path:
        """The pickle store of encodings."""
        return self.gallery.store or self.data.directory / "gallery" / "encodings.pickle"

    @property
    def index_path(self) -> Path:
        """The folder of published indexes."""
        return self.gallery.index or self.data.directory / "gallery" / "index"

    @property
    def outbox_path(self) -> Path:
        """The outbox's SQLite file."""
        return self.service.outbox or self.data.directory / "outbox.db"

    @property
    def recordings_path(self) -> Path:
        """The folder of what runs over recordings note."""
        return self.data.directory / "recordings"

    @property
    def recordings_outbox_path(self) -> Path:
        """The outbox of runs over recordings, beside those of the services."""
        return self.outbox_path.with_stem(f"{self.outbox_path.stem}-recordings")

    @property
    def outbox_paths(self) -> list[Path]:
        """The outboxes that are there: the configured one, and those of several services beside it (outbox-1.db)."""
        path = self.outbox_path
        beside = path.parent.glob(f"{path.stem}-*{path.suffix}")
        return sorted({*([path] if path.exists() else []), *beside})
