"""Settings of the sign-in at the institution's own provider, by OpenID Connect."""

from enum import StrEnum
from typing import Annotated

from pydantic import AfterValidator, Field, SecretStr, field_validator, model_validator

from attendance.settings.claims import Condition, Conditions, RoleRule, RoleRules, Words, condition, role_rule
from attendance.settings.section import Section


class ClientAuth(StrEnum):
    """How the dashboard proves to the provider who it is."""

    BASIC = "basic"
    """In the header (`client_secret_basic`), which every provider must take."""
    POST = "post"
    """In the body (`client_secret_post`)."""


class StudentField(StrEnum):
    """By what a student is known."""

    EMAIL = "email"
    INDEX_NUMBER = "index_number"


def _part_of_claim(value: str) -> str:
    if "*" not in condition(value).value:
        raise ValueError("must be a claim, or a claim with a * for the part that counts: eppn = *@example.edu")
    return value


_Claim = Annotated[str, AfterValidator(_part_of_claim)]


class OidcSettings(Section):
    """Signing in at the institution's provider (OpenID Connect); off until an issuer is set. See docs/sign-in.md."""

    issuer: str = Field(
        "",
        max_length=255,
        pattern=r"^(https?://[^\s?#@]+)?$",
        description="The provider's issuer, e.g. https://sso.example.edu/realms/staff; what is behind it is found by "
        "discovery. Empty: nobody signs in there.",
    )
    client_id: str = Field("", max_length=255, description="What the provider calls this dashboard.")
    client_secret: SecretStr | None = Field(
        None, description="The secret that the provider gave with it; for the dashboard alone, e.g. in web.env."
    )
    client_auth: ClientAuth = Field(
        ClientAuth.BASIC, description="How that secret is sent: basic (in the header) or post (in the body)."
    )
    name: str = Field(
        "", max_length=80, description="What people call the provider, on the button. Empty: the institution's name."
    )
    scopes: str = Field(
        "openid profile email",
        pattern=r"^(.* )?openid( .*)?$",
        description="What the dashboard asks the provider for; openid is among it.",
    )
    account_claim: _Claim = Field(
        "email",
        description="The claim that holds the e-mail address of somebody's account here, e.g. email or upn.",
    )
    student_claim: _Claim = Field(
        "email",
        description="The claim by which a student is found. For a part of it: eppn = *@example.edu.",
    )
    student_field: StudentField = Field(
        StudentField.EMAIL, description="What that claim holds of a student: email or index_number."
    )
    students: bool = Field(True, description="Let students open their own page through the provider, too.")
    admit: Conditions = Field(
        (),
        description="Who may sign in through the provider: conditions, of which one must be met, e.g. "
        "hd = example.edu. Empty: everybody whom it signs in and who has an account, or is a student.",
    )
    create_accounts: Conditions = Field(
        (),
        description="Who gets an account at the first sign-in: conditions, of which one must be met, e.g. "
        "groups = staff. Empty: nobody; administrators make accounts.",
    )
    roles: RoleRules = Field(
        (),
        description="Roles by groups or other claims, e.g. groups = maths-heads -> department Mathematics; applied at "
        "each sign-in. Roles given by hand stay.",
    )
    second_factor: bool = Field(
        False, description="Ask whoever signs in through the provider for the second step of this dashboard, too."
    )
    sign_out_there: bool = Field(
        True, description="Sign people out at the provider, too, when they sign out here, where it offers that."
    )
    passwords: bool = Field(
        True, description="Let people sign in with a password, too. false: only the break-glass accounts can."
    )
    break_glass: Words = Field(
        (),
        description="E-mail addresses of administrators who always sign in with a password, for the day on which the "
        "provider does not. Must be set where passwords are off. The provider's rules do not touch them.",
    )

    @property
    def on(self) -> bool:
        """Whether anybody signs in at a provider."""
        return bool(self.issuer)

    @property
    def account_part(self) -> Condition:
        """The claim, or the part of one, that holds an account's e-mail address."""
        return condition(self.account_claim)

    @property
    def student_part(self) -> Condition:
        """The claim, or the part of one, by which a student is found."""
        return condition(self.student_claim)

    @property
    def needed_claims(self) -> set[str]:
        """The names of the claims that matter here."""
        conditions = [self.account_part, self.student_part, *self.admitting, *self.creating]
        return {"name"} | {one.claim for one in [*conditions, *(rule.condition for rule in self.role_rules)]}

    @property
    def role_rules(self) -> list[RoleRule]:
        """The rules of `roles`."""
        return [role_rule(text) for text in self.roles]

    @property
    def admitting(self) -> list[Condition]:
        """The conditions of `admit`."""
        return [condition(text) for text in self.admit]

    @property
    def creating(self) -> list[Condition]:
        """The conditions of `create_accounts`."""
        return [condition(text) for text in self.create_accounts]

    def takes_password(self, email: str) -> bool:
        """Whether whoever has this address may sign in with a password."""
        return not self.on or self.passwords or self.is_break_glass(email)

    def is_break_glass(self, email: str) -> bool:
        """Whether it is the address of one of those who can get in whatever the provider does."""
        return email in self.break_glass

    @field_validator("break_glass")
    @classmethod
    def _as_addresses_are_kept(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for text in value:
            if "@" not in text:
                raise ValueError(f"{text!r} is no e-mail address")
        return tuple(text.strip().lower() for text in value)

    @model_validator(mode="after")
    def _complete(self) -> "OidcSettings":
        if self.on and not self.client_id:
            raise ValueError("with an issuer, ATTENDANCE_OIDC_CLIENT_ID must be set too: as the provider has it")
        if self.on and not self.passwords and not self.break_glass:
            raise ValueError(
                "with passwords off, ATTENDANCE_OIDC_BREAK_GLASS must be set too: an administrator who gets in when "
                "the provider is away"
            )
        return self
