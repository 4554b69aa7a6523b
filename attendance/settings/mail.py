"""Settings of outgoing mail."""

from enum import StrEnum

from pydantic import Field, SecretStr, field_validator, model_validator

from attendance.settings.section import Section

_ADDRESS = r"^([!-;=?A-~]+@[!-;=?A-~]+)?$"
"""Plain ASCII without spaces, <, > and a second @."""


class MailSecurity(StrEnum):
    """How the way to the mail server is protected."""

    NONE = "none"
    """Not at all: for a server on the same machine."""
    STARTTLS = "starttls"
    """Plain at first, TLS before anything that matters; commonly port 587."""
    TLS = "tls"
    """From the first byte; commonly port 465."""


class MailSettings(Section):
    """Mail that the system sends; none until a host is set."""

    host: str = Field(
        "",
        max_length=253,
        pattern=r"^[^\s/@]*$",
        description="The mail server (SMTP) that passes mail on. Empty: no mail is sent.",
    )
    port: int = Field(587, ge=1, le=65535, description="Its port: commonly 587 with starttls, 465 with tls, 25 else.")
    security: MailSecurity = Field(
        MailSecurity.STARTTLS,
        description="none, starttls or tls. The server's certificate must be valid for its name, except with none.",
    )
    user: str = Field("", max_length=200, description="Whom to sign in as at the mail server. Empty: nobody.")
    password: SecretStr | None = Field(None, description="The password of that user.")
    sender: str = Field(
        "", max_length=254, pattern=_ADDRESS, description="The address that mail comes from; must be set with the host."
    )
    reply_to: str = Field("", max_length=254, pattern=_ADDRESS, description="Where answers go. Empty: to the sender.")
    timeout_s: float = Field(
        30, ge=1, le=600, description="Seconds after which a mail server that does not answer counts as away."
    )
    most_a_minute: int = Field(
        60,
        ge=1,
        le=10_000,
        description="Mails that all workers together send in a minute; see what your server allows.",
    )
    hour: int = Field(7, ge=0, le=23, description="The hour, there, at which daily and weekly mail is sent.")
    fewest_sessions: int = Field(
        3, ge=1, le=100, description="Recorded sessions of a course before low attendance in it is told to anybody."
    )
    camera_minutes: int = Field(
        15,
        ge=0,
        le=240,
        description="Minutes before a class session in which administrators are told that cameras of its room are "
        "away. 0: they are not.",
    )

    @property
    def on(self) -> bool:
        """Whether mail is sent at all."""
        return bool(self.host)

    @field_validator("password")
    @classmethod
    def _printable(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and not value.get_secret_value().isprintable():
            raise ValueError("holds characters that cannot be typed, like a line break")
        return value

    @model_validator(mode="after")
    def _complete(self) -> "MailSettings":
        if self.host and not self.sender:
            raise ValueError("with a host, ATTENDANCE_MAIL_SENDER must be set too: the address that mail comes from")
        if self.password is not None and self.password.get_secret_value() and not self.user:
            raise ValueError("with a password, ATTENDANCE_MAIL_USER must be set too: whose it is")
        return self
