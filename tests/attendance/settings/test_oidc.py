"""Settings of the sign-in at a provider: rules that are read, and those that make no sense."""

import pytest

from attendance.settings import SettingsError, load_settings
from attendance.settings.claims import condition, role_rule, values_of
from attendance.settings.oidc import OidcSettings

GIVEN = {"ATTENDANCE_OIDC_ISSUER": "https://login.example.edu", "ATTENDANCE_OIDC_CLIENT_ID": "attendance"}
WHOLE = GIVEN | {"ATTENDANCE_WEB_ADDRESS": "https://attendance.example.edu"}


@pytest.mark.parametrize(
    ("text", "claims", "found"),
    [
        ("groups = staff", {"groups": ["students", "staff"]}, [""]),
        ("groups = staff", {"groups": "staff"}, [""]),
        ("groups = staff", {"groups": "Staff"}, []),
        ("groups = staff", {}, []),
        ("groups = /courses/*/l", {"groups": ["/courses/A/l", "/courses/B/c/l", "/courses//l"]}, ["A", "B/c"]),
        ("groups = a.c", {"groups": "abc"}, []),
        ("email", {"email": "a@b"}, ["a@b"]),
        ("admin = true", {"admin": True}, [""]),
        ("level = 3", {"level": 3}, [""]),
        ("realm_access.roles = x", {"realm_access": {"roles": ["x"]}}, [""]),
        ("https://example.edu/groups = x", {"https://example.edu/groups": ["x"]}, [""]),
        ("member = CN=staff,OU=x", {"member": "CN=staff,OU=x"}, [""]),
        ("a.b.c = x", {"a": ["x"]}, []),
        ("groups = x", {"groups": [{"x": 1}, None, ["x"]]}, []),
    ],
)
def test_conditions(text, claims, found):
    assert condition(text).found_in(claims) == found


@pytest.mark.parametrize("value", [None, {}, [], "", [""], [None]])
def test_what_says_nothing_is_no_value(value):
    assert values_of({"a": value}, "a") == []


def test_rules_for_roles():
    rule = role_rule("groups = /c/*/l -> lecturer MA-*")
    assert list(rule.found_in({"groups": ["/c/101/l", "/c/102/l"]})) == [("lecturer", "MA-101"), ("lecturer", "MA-102")]
    assert role_rule("g = a->b -> department Fine Arts").place == "Fine Arts"
    assert list(role_rule("g = x -> administrator").found_in({"g": "x"})) == [("administrator", "")]


@pytest.mark.parametrize(
    ("key", "value", "says"),
    [
        ("ROLES", "groups = x", "no rule for a role"),
        ("ROLES", "groups = x -> dean Mathematics", "no rule for a role"),
        ("ROLES", "groups = x -> lecturer", "a department or a course must follow"),
        ("ROLES", "groups = x -> administrator MA101", "a department or a course must follow"),
        ("ROLES", "groups = x -> lecturer *", "has none in the condition"),
        ("ROLES", "groups = *a* -> lecturer *", "more than one *"),
        ("ROLES", "-> administrator", "no condition"),
        ("ADMIT", "my groups = x", "no condition"),
        ("ADMIT", "groups =", "no condition"),
        ("ACCOUNT_CLAIM", "email = ada@example.edu", "must be a claim"),
        ("ISSUER", "login.example.edu", "ISSUER"),
        ("ISSUER", "https://login.example.edu/?a=b", "ISSUER"),
        ("SCOPES", "profile email", "SCOPES"),
        ("CLIENT_ID", "", "CLIENT_ID must be set too"),
        ("PASSWORDS", "false", "BREAK_GLASS must be set too"),
        ("BREAK_GLASS", "root", "no e-mail address"),
        ("PASSWORDS", "perhaps", "PASSWORDS"),
    ],
)
def test_what_makes_no_sense_is_refused_by_its_name(key, value, says):
    with pytest.raises(SettingsError, match=f"(?s)ATTENDANCE_OIDC.*{says.replace('*', '[*]')}|{says}"):
        load_settings(WHOLE | {f"ATTENDANCE_OIDC_{key}": value})


def test_the_provider_must_know_where_to_lead_back_to():
    with pytest.raises(SettingsError, match="ATTENDANCE_WEB_ADDRESS: must be set where ATTENDANCE_OIDC_ISSUER is"):
        load_settings(GIVEN)


def test_several_in_a_variable_and_in_a_file(tmp_path):
    told = load_settings(WHOLE | {"ATTENDANCE_OIDC_ROLES": "g = a -> administrator; g = b -> lecturer MA1"})
    assert told.oidc.roles == ("g = a -> administrator", "g = b -> lecturer MA1")
    file = tmp_path / "attendance.toml"
    file.write_text('[oidc]\nadmit = ["hd = example.edu", "a = x;y"]\n')
    told = load_settings(WHOLE | {"ATTENDANCE_CONFIG": str(file)})
    assert [one.value for one in told.oidc.admitting] == ["example.edu", "x;y"]


def test_who_may_use_a_password():
    off = OidcSettings(passwords=False)
    assert off.takes_password("ada@example.edu")  # no provider: nothing else lets anybody in
    given = {"issuer": "https://login.example.edu", "client_id": "a", "break_glass": ["Root@Example.EDU"]}
    on = OidcSettings(**given, passwords=False)
    assert on.takes_password("root@example.edu")
    assert not on.takes_password("ada@example.edu")
    assert OidcSettings(**given).takes_password("ada@example.edu")


def test_no_message_shows_the_secret():
    with pytest.raises(SettingsError) as refused:
        load_settings(WHOLE | {"ATTENDANCE_OIDC_CLIENT_SECRET": "do not show", "ATTENDANCE_OIDC_CLIENT_AUTH": "x"})
    assert "do not show" not in str(refused.value)
