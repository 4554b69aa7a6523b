"""Settings of the dashboard."""

from enum import StrEnum
from ipaddress import IPv4Network, IPv6Network, ip_network

from pydantic import Field, SecretStr, field_validator

from attendance.settings.section import Section


class SecondFactorRule(StrEnum):
    """Of whom a second factor is required at the sign-in; everybody may have one."""

    NOBODY = "nobody"
    ADMINISTRATORS = "administrators"
    EVERYBODY = "everybody"


class WebSettings(Section):
    """The dashboard."""

    listen: str = Field("127.0.0.1:8000", description="Address and port of the dashboard.")
    workers: int = Field(2, ge=1, le=64, description="gunicorn worker processes.")
    threads: int = Field(
        16, ge=2, le=256, description="Threads of each worker; a register that is watched live holds one."
    )
    secret_key: SecretStr | None = Field(
        None,
        description="Signs sessions, 32 characters or more; the same for all replicas. Default: made once and kept in "
        "the data folder.",
    )
    secure_cookies: bool = Field(False, description="Send cookies over HTTPS only; set it behind TLS.")
    trusted_proxies: int = Field(
        0, ge=0, le=5, description="Reverse proxies in front whose X-Forwarded-* headers are believed."
    )
    signin_hours: int = Field(12, ge=1, le=720, description="Hours after which a lecturer signs in again.")

    second_factor: SecondFactorRule = Field(
        SecondFactorRule.NOBODY,
        description="Who must type a code of an app beside the password: nobody, administrators or everybody; others "
        "may. Until they have set it up, they open nothing else.",
    )
    pseudo_languages: bool = Field(
        False, description="For developers: offer two made-up languages, in which a text that was forgotten is seen."
    )
    address: str = Field(
        "",
        max_length=200,
        pattern=r"^(https?://[^\s/?#@]+(/[^\s?#]*)?)?$",
        description="Where people open the dashboard, e.g. https://attendance.example.edu; stands in links that are "
        "given to people. Default: as the browser of whoever makes a link has it.",
    )
    link_days: int = Field(
        7,
        ge=1,
        le=90,
        description="Days for which a link that is handed over can be used: to set a password, or to open a student's "
        "own page.",
    )

    reset_hours: int = Field(
        2, ge=1, le=72, description="Hours for which a link can be used that is mailed to who forgot the password."
    )

    private_addresses: str = Field(
        "",
        max_length=1000,
        description="Networks of your own that addresses typed by people may lead to, separated by commas, e.g. "
        "10.20.0.0/16: of webhooks' receivers, calendars, OpenID providers and LTI platforms. Plain http is allowed to "
        "these only. Empty: public addresses only, by https.",
    )

    @property
    def private_networks(self) -> tuple[IPv4Network | IPv6Network, ...]:
        """The networks of `private_addresses`."""
        return tuple(ip_network(part) for part in self.private_addresses.replace(",", " ").split())

    @field_validator("private_addresses")
    @classmethod
    def _networks(cls, value: str) -> str:
        for part in value.replace(",", " ").split():
            try:
                ip_network(part)
            except ValueError:
                raise ValueError(f"{part!r} is no network; write it like 10.20.0.0/16 or 10.20.30.40/32") from None
        return value

    @field_validator("secret_key")
    @classmethod
    def _long_enough(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and len(value.get_secret_value()) < 32:  # the sentence names the bound
            raise ValueError("must have 32 characters or more")
        return value
