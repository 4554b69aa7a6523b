import base64
import hmac
import json
import math
import re
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from attendance.database.access.second_factors import begin_set_up, confirm
from attendance.database.models import (
    Account,
    AccountRole,
    AuditEntry,
    ExternalIdentity,
    ExternalKind,
    IdentityKind,
    LtiCourse,
    LtiMatching,
    LtiPlatform,
    ProviderIdentity,
    Role,
    SignIn,
    Student,
    utc_now,
)
from tests.factories import PASSWORD, make_lecturer, make_session, make_student
from tests.webapp.lti.conftest import begin, course_of, launch
from tests.webapp.lti.platform import LTI, MEMBERSHIP, Platform, made_key
from tests.webapp.visiting import Site, plain
from webapp.lti.logins import LIFETIME
from webapp.lti.tokens import PlatformKeys

TEACHER, ASSISTANT, LEARNER = (
    [f"{MEMBERSHIP}#Instructor"],
    [f"{MEMBERSHIP}#Instructor", f"{MEMBERSHIP}/Instructor#TeachingAssistant"],
    [f"{MEMBERSHIP}#Learner"],
)
ROLES = LTI + "roles"


@pytest.fixture
def ada(site_db: Session, linked: LtiCourse, registered: LtiPlatform) -> Account:
    """A lecturer of the course, whom the platform knows as u1."""
    ada = make_lecturer(site_db, email="ada@example.edu", role=Role.LECTURER, of=course_of(site_db, linked))
    bind(site_db, registered, "u1", account=ada)
    return ada


def bind(db: Session, platform: LtiPlatform, subject: str, account: Any = None, student: Any = None) -> None:
    row = ExternalIdentity(system=f"lti:{platform.id}", external_id=subject)
    row.kind = ExternalKind.ACCOUNT if account else ExternalKind.STUDENT
    row.account_id, row.student_id = account and account.id, student and student.id
    db.add(row)
    db.commit()


def test_a_launch_opens_the_register_that_is_filled_in_now(
    site: Site, site_db: Session, platform: Platform, ada: Account, linked: LtiCourse
) -> None:
    course = course_of(site_db, linked)
    answer = launch(site, platform)
    assert (answer.status_code, answer.headers["Location"]) == (302, f"/courses/{course.id}")
    session = make_session(site_db, course, starts_at=utc_now() - timedelta(minutes=5))
    site_db.commit()
    visitor = site.visitor()
    answer = launch(site, platform, visitor=visitor)
    assert answer.headers["Location"] == f"/sessions/{session.id}"
    assert "MAT101" in visitor.text(answer.headers["Location"])
    noted = site_db.scalars(sa.select(AuditEntry).order_by(AuditEntry.id)).all()
    assert [(entry.action, entry.actor, entry.details) for entry in noted] == [
        ("sign_in.done", "ada@example.edu", {"platform": "Moodle"})
    ] * 2


def _without_signature(platform: Platform, claims: dict[str, Any]) -> str:
    parts = ({"alg": "none", "kid": platform.key.kid}, claims)
    return ".".join(base64.urlsafe_b64encode(json.dumps(p).encode()).decode().rstrip("=") for p in parts) + "."


def _with_public_key_as_secret(platform: Platform, claims: dict[str, Any]) -> str:
    parts = ({"alg": "HS256", "kid": platform.key.kid}, claims)
    signed = ".".join(base64.urlsafe_b64encode(json.dumps(p).encode()).decode().rstrip("=") for p in parts)
    digest = hmac.digest(platform.key.as_pem(private=False), signed.encode(), "sha256")
    return f"{signed}.{base64.urlsafe_b64encode(digest).decode().rstrip('=')}"


HOSTILE: dict[str, tuple[Callable[[Platform, dict[str, Any]], str], str]] = {
    "forged": (lambda p, c: p.sign(c, key=made_key(7), kid=p.key.kid), "not signed by the platform"),
    "a key that is not published": (lambda p, c: p.sign(c, key=made_key(7)), "does not publish"),
    "its own key in the header": (
        lambda p, c: p.sign(c, key=made_key(7), jwk=made_key(7).as_dict(private=False)), "can be read"),
    "no key named": (lambda p, c: p.sign(c, kid=None), "does not name the key"),
    "alg none": (_without_signature, "RS256"),
    "HS256 with the public key": (_with_public_key_as_secret, "RS256"),
    "another issuer": (lambda p, c: p.sign({**c, "iss": "https://elsewhere.example"}), "another platform"),
    "another audience": (lambda p, c: p.sign({**c, "aud": "client-2"}), "another tool"),
    "another party": (lambda p, c: p.sign({**c, "azp": "client-2"}), "another tool"),
    "two audiences and no party": (lambda p, c: p.sign({**c, "aud": [p.client_id, "client-2"]}), "another tool"),
    "another nonce": (lambda p, c: p.sign({**c, "nonce": "n"}), "does not belong"),
    "without nonce": (lambda p, c: p.sign({k: v for k, v in c.items() if k != "nonce"}), "does not belong"),
    "expired": (lambda p, c: p.sign({**c, "exp": time.time() - 61}), "too old"),
    "made long ago": (lambda p, c: p.sign({**c, "iat": time.time() - 3_700}), "too old"),
    "from the future": (lambda p, c: p.sign({**c, "iat": time.time() + 120}), "from the future"),
    "not yet": (lambda p, c: p.sign({**c, "nbf": time.time() + 120}), "from the future"),
    "without an end": (lambda p, c: p.sign({k: v for k, v in c.items() if k != "exp"}), "from when until when"),
    "an end that is no number": (lambda p, c: p.sign({**c, "exp": "tomorrow"}), "from when until when"),
    "an end that is never past": (lambda p, c: p.sign({**c, "exp": math.nan}), "from when until when"),
    "made at no moment": (lambda p, c: p.sign({**c, "iat": math.inf}), "from when until when"),
    "another deployment": (lambda p, c: p.sign({**c, LTI + "deployment_id": "8"}), "deployment 8"),
    "another message": (lambda p, c: p.sign({**c, LTI + "message_type": "LtiSubmissionReviewRequest"}), "no launch"),
    "another version": (lambda p, c: p.sign({**c, LTI + "version": "1.1"}), "no launch"),
    "nobody": (lambda p, c: p.sign({k: v for k, v in c.items() if k != "sub"}), "who you are"),
    "outside of courses": (lambda p, c: p.sign({**c, LTI + "context": ["c1"]}), "names no course"),
    "of no link": (lambda p, c: p.sign({**c, LTI + "resource_link": {}}), "resource_link"),
    "no token": (lambda p, c: "", "no token"),
    "bytes": (lambda p, c: "\x00é.a.b", "no token"),
    "too long": (lambda p, c: "a" * 60_000, "too long"),
}  # fmt: skip


def test_what_is_not_the_platforms_word_opens_nothing(
    site: Site, site_db: Session, platform: Platform, ada: Account
) -> None:
    for hostile, (make, words) in HOSTILE.items():
        begun = begin(site, platform)
        answer = begun.finish(make(platform, platform.claims(begun.asked["nonce"])))
        assert answer.status_code == 403, hostile
        assert words in plain(answer.text), hostile
        assert begun.visitor.get("/").headers.get("Location", "").startswith("/signin"), hostile
    assert site_db.scalars(sa.select(AuditEntry)).all() == []
    site_db.commit()
    assert launch(site, platform).status_code == 302


def test_the_same_launch_is_let_in_once(site: Site, platform: Platform, ada: Account) -> None:
    begun = begin(site, platform)
    token = platform.sign(platform.claims(begun.asked["nonce"]))
    assert begun.finish(token).status_code == 302
    again = begin(site, platform, visitor=begun.visitor)
    with begun.visitor.client.session_transaction() as session:
        session.clear()
    refused = again.finish(token, state=begun.asked["state"])
    assert refused.status_code == 403
    # Whoever copied the cookie too: it is the nonce that is used up.
    copied = begin(site, platform)
    token = platform.sign(platform.claims(copied.asked["nonce"]))
    cookies = [cookie for cookie in copied.visitor.client._cookies.values() if cookie.key.startswith("attendance_lti_")]
    assert copied.finish(token).status_code == 302
    for cookie in cookies:
        copied.visitor.client.set_cookie(cookie.key, cookie.value, path=cookie.path)
    refused = copied.finish(token)
    assert (refused.status_code, "used already" in plain(refused.text)) == (403, True)


def test_a_sign_in_is_finished_in_the_browser_that_began_it(site: Site, platform: Platform, ada: Account) -> None:
    begun, other = begin(site, platform), begin(site, platform)
    token = platform.sign(platform.claims(begun.asked["nonce"]))
    refused = other.finish(token, state=begun.asked["state"])
    assert (refused.status_code, "did not keep the cookie" in plain(refused.text)) == (403, True)
    for state in ("", "x", begun.asked["state"][:-2], begun.asked["state"].replace(".", "")):
        refused = begun.finish(token, state=state)
        assert (refused.status_code, "not begun here" in plain(refused.text)) == (400, True)


def test_a_sign_in_that_took_too_long(site: Site, platform: Platform, ada: Account, monkeypatch: Any) -> None:
    begun = begin(site, platform)
    token = platform.sign(platform.claims(begun.asked["nonce"]))
    later = time.time() + LIFETIME.total_seconds() + 5
    monkeypatch.setattr("itsdangerous.timed.time.time", lambda: later)
    assert "took too long" in plain(begun.finish(token).text)


def test_keys_that_a_platform_renews_and_withdraws(
    site: Site, platform: Platform, ada: Account, monkeypatch: Any
) -> None:
    clock = [0.0]
    site.app.extensions["attendance_lti_keys"] = PlatformKeys(lambda: clock[0])
    assert launch(site, platform).status_code == 302
    platform.rotate()
    assert launch(site, platform).status_code == 403  # asked a moment ago
    clock[0] += 11
    assert launch(site, platform).status_code == 302
    assert platform.requests.count("GET /keys") == 2
    withdrawn = platform.keys.pop()
    platform.keys.append(made_key(8))
    clock[0] += 301
    begun = begin(site, platform)
    assert begun.finish(platform.sign(platform.claims(begun.asked["nonce"]), key=withdrawn)).status_code == 403
    clock[0] += 301
    platform.refuses.add("/keys")
    assert "cannot be fetched just now" in plain(launch(site, platform).text)


def test_keys_that_are_none_are_passed_over(site: Site, platform: Platform, ada: Account) -> None:
    good = platform.key.as_dict(private=False)
    short = {"kty": "RSA", "n": "v" + "x" * 170, "e": "AQAB", "kid": "short"}
    odd: list[Any] = [
        None,
        {"kty": "oct", "k": "AA", "kid": "x"},
        {"kty": "RSA", "n": "!", "e": "AQAB", "kid": "y"},
        short,
    ]
    platform.published = [*odd, {**good, "use": "enc"}]
    assert launch(site, platform).status_code == 403
    site.app.extensions.pop("attendance_lti_keys")
    platform.published = '{"keys":' + "[" * 100_000
    assert "cannot be fetched just now" in plain(launch(site, platform).text)
    site.app.extensions.pop("attendance_lti_keys", None)
    platform.published = [*odd, good]
    assert launch(site, platform).status_code == 302


def test_where_launches_begin(site: Site, site_db: Session, platform: Platform, registered: LtiPlatform) -> None:
    visitor = site.visitor()
    good = platform.initiation()
    posted = visitor.client.post("/lti/login", data={"iss": platform.address, "login_hint": "u1"})
    assert posted.status_code == 302  # without a token of ours: the form is the platform's
    for bad in (
        "/lti/login", good.replace("iss=", "iss=x"), good.replace("client-1", "client-2"),
        good.replace("login_hint", "hint"), good + "&lti_message_hint=" + "x" * 3_000,
    ):  # fmt: skip
        address = bad if not bad.endswith("x" * 3_000) else good.replace("m1", "x" * 3_000)
        answer = visitor.get(address)
        assert (answer.status_code, "Location" in answer.headers) == (400, False), address
    registered.active = False
    site_db.commit()
    assert visitor.get(good).status_code == 400


def test_in_a_frame_it_leads_to_a_window_of_its_own(site: Site, platform: Platform, registered: LtiPlatform) -> None:
    visitor = site.visitor()
    answer = visitor.get(platform.initiation(), headers={"Sec-Fetch-Dest": "iframe"})
    assert answer.status_code == 200
    assert f"frame-ancestors {platform.address};" in answer.headers["Content-Security-Policy"] + ";"
    assert "X-Frame-Options" not in answer.headers
    link = re.search(r'href="(/lti/login[^"]+)" target="_blank"', answer.text)
    assert link
    assert visitor.get(link[1].replace("&amp;", "&")).status_code == 302
    # Nothing else may be framed.
    for path in ("/signin", "/lti/connect", "/lti/login"):
        headers = visitor.get(path).headers
        assert "frame-ancestors 'none'" in headers["Content-Security-Policy"], path
        assert headers["X-Frame-Options"] == "DENY", path


def test_who_is_not_known_signs_in_and_connects(
    site: Site, site_db: Session, platform: Platform, linked: LtiCourse
) -> None:
    ada = make_lecturer(site_db, role=Role.LECTURER, of=course_of(site_db, linked))
    site_db.commit()
    platform.members = [{"user_id": "u1", "roles": TEACHER, "name": "Ada Lovelace", "email": "al@moodle.example"}]
    visitor = site.visitor()
    answer = launch(site, platform, visitor=visitor)
    offer = answer.headers["Location"]
    assert offer.startswith("/lti/connect?offer=")
    assert visitor.get(offer).headers["Location"].startswith("/signin?next=")
    visitor.enter_as(ada)
    page = visitor.text(offer)
    assert "Ada Lovelace (al@moodle.example)" in page
    assert ada.email in page
    # The address is worth nothing in another browser: nobody can have a lecturer connect somebody else.
    assert site.visitor(ada).get(offer).status_code == 410
    text = offer.partition("offer=")[2]
    assert site.visitor(ada).post("/lti/connect", {"offer": text}).status_code == 410
    done = visitor.post("/lti/connect", {"offer": text})
    assert done.headers["Location"] == f"/courses/{linked.course_id}"
    again = launch(site, platform)
    assert again.headers["Location"] == f"/courses/{linked.course_id}"
    assert "Moodle" in visitor.text("/lti/connections")
    registered_id = site_db.scalar(sa.select(LtiPlatform.id))
    visitor.post(f"/lti/connections/{registered_id}/end")
    assert launch(site, platform).headers["Location"].startswith("/lti/connect")
    assert visitor.post(f"/lti/connections/{registered_id}/end").status_code == 404


def test_who_signed_in_a_while_ago_connects_with_the_password(
    site: Site, site_db: Session, platform: Platform, linked: LtiCourse
) -> None:
    ada = make_lecturer(site_db, role=Role.LECTURER, of=course_of(site_db, linked))
    site_db.commit()
    visitor = site.visitor(ada)
    site_db.execute(sa.update(SignIn).values(made_at=utc_now() - timedelta(minutes=11)))
    site_db.commit()
    page = launch(site, platform, visitor=visitor).headers["Location"]
    assert "Your password" in visitor.text(page)
    offer = {"offer": page.partition("offer=")[2]}
    for typed, said in (({}, "Type your password."), ({"your_password": "wrong"}, "not your current password")):
        answer = visitor.post("/lti/connect", offer | typed)
        assert (answer.status_code, said in answer.text) == (422, True)
    assert site_db.scalar(sa.select(ExternalIdentity)) is None
    assert visitor.post("/lti/connect", offer | {"your_password": PASSWORD}).status_code == 302
    site_db.rollback()
    assert site_db.scalars(sa.select(ExternalIdentity)).one().account_id == ada.id


def test_the_address_of_a_person_counts_only_where_an_administrator_says_so(
    site: Site, site_db: Session, platform: Platform, linked: LtiCourse, registered: LtiPlatform
) -> None:
    course = course_of(site_db, linked)
    make_lecturer(site_db, email="ada@example.edu", role=Role.LECTURER, of=course)
    make_lecturer(site_db, email="root@example.edu", role=Role.ADMIN)
    make_lecturer(site_db, email="gone@example.edu", role=Role.LECTURER, of=course, active=False)
    site_db.commit()
    ada: dict[str, Any] = {"email": "Ada@example.edu"}
    assert launch(site, platform, **ada).headers["Location"].startswith("/lti/connect")
    registered.matching = LtiMatching.EMAIL
    site_db.commit()
    assert launch(site, platform, **ada).headers["Location"] == f"/courses/{course.id}"
    # From now on the identity counts, not the address; and nobody else there becomes her by taking it.
    assert launch(site, platform, email=None).headers["Location"] == f"/courses/{course.id}"
    assert launch(site, platform, "u2", **ada).headers["Location"].startswith("/lti/connect")
    assert launch(site, platform, "u3", email="root@example.edu").headers["Location"].startswith("/lti/connect")
    assert launch(site, platform, "u4", email="gone@example.edu").headers["Location"].startswith("/lti/connect")


def test_nobody_takes_the_address_by_which_a_platform_finds_somebody(
    site: Site, site_db: Session, registered: LtiPlatform
) -> None:
    visitor = site.visitor(make_lecturer(site_db, email="eve@example.edu"))
    form = {"name": "Eve", "email": "ada@example.edu", "your_password": PASSWORD}
    registered.matching = LtiMatching.EMAIL
    site_db.commit()
    answer = visitor.post("/profile", form)
    assert (answer.status_code, "An administrator changes it." in answer.text) == (422, True)
    assert "readonly" in visitor.get("/profile").text
    registered.matching = LtiMatching.CONNECT
    site_db.commit()
    assert visitor.post("/profile", form).status_code == 302


@pytest.mark.parametrize("matching", LtiMatching)
def test_another_address_ends_what_the_one_of_before_has_found(
    site: Site, site_db: Session, registered: LtiPlatform, ada: Account, matching: LtiMatching
) -> None:
    alan = make_student(site_db, name="Alan Turing")
    bind(site_db, registered, "s1", student=alan)
    registered.matching = matching
    site_db.commit()
    admin = site.visitor(make_lecturer(site_db, role=Role.ADMIN))
    form = {"name": "Ada", "email": "ada.king@example.edu", "active": "y"}
    assert admin.post(f"/admin/accounts/{ada.id}", form).status_code == 302
    form = {"name": "Alan Turing", "index_number": alan.index_number, "email": "alan@example.edu"}
    assert admin.post(f"/admin/students/{alan.id}", form).status_code == 302
    left = set(site_db.scalars(sa.select(ExternalIdentity.external_id)))
    assert left == (set() if matching is LtiMatching.EMAIL else {"u1", "s1"})


def test_roles_there_give_what_an_administrator_allowed_and_no_more(
    site: Site, site_db: Session, platform: Platform, linked: LtiCourse, registered: LtiPlatform
) -> None:
    grace, alan, kurt = (make_lecturer(site_db) for _ in range(3))
    for subject, account in (("g", grace), ("a", alan), ("k", kurt)):
        bind(site_db, registered, subject, account=account)
    refused = launch(site, platform, "g", claims={ROLES: TEACHER})
    assert (refused.status_code, "no role in this course" in plain(refused.text)) == (403, True)
    linked.gives_roles = True
    site_db.commit()
    admins = ["http://purl.imsglobal.org/vocab/lis/v2/institution/person#Administrator", f"{MEMBERSHIP}#Administrator"]
    for subject, roles in (("g", TEACHER), ("a", ASSISTANT)):
        assert launch(site, platform, subject, claims={ROLES: [*roles, *admins]}).status_code == 302
    assert launch(site, platform, "k", claims={ROLES: admins}).status_code == 403
    held = {role.account_id: (role.role, role.course_id) for role in site_db.scalars(sa.select(AccountRole))}
    assert held == {grace.id: (Role.LECTURER, linked.course_id), alan.id: (Role.ASSISTANT, linked.course_id)}
    # Who assists does not rise by what the platform says later, and who leaves there keeps the role.
    assert launch(site, platform, "a", claims={ROLES: TEACHER}).status_code == 302
    assert launch(site, platform, "g", claims={ROLES: LEARNER}).status_code == 403
    site_db.expire_all()
    assert {role.account_id: role.role for role in site_db.scalars(sa.select(AccountRole))} == {
        grace.id: Role.LECTURER,
        alan.id: Role.ASSISTANT,
    }


def test_a_new_role_by_connecting_leaves_one_signed_in(
    site: Site, site_db: Session, platform: Platform, linked: LtiCourse
) -> None:
    linked.gives_roles = True
    grace = make_lecturer(site_db)
    visitor = site.visitor(grace)
    through = ProviderIdentity(kind=IdentityKind.ACCOUNT, account_id=grace.id, issuer="https://id.example", subject="g")
    site_db.add(through)
    site_db.flush()
    site_db.execute(sa.update(SignIn).values(identity_id=through.id, provider_session="s1"))
    site_db.commit()
    offer = launch(site, platform, visitor=visitor).headers["Location"].partition("offer=")[2]
    done = visitor.post("/lti/connect", {"offer": offer})
    assert "MAT101" in visitor.text(done.headers["Location"])
    kept = site_db.execute(sa.select(SignIn.identity_id, SignIn.provider_session)).all()
    assert [tuple(one) for one in kept] == [(through.id, "s1")], "a logout at the provider ends it still"


def test_an_administrator_comes_in_by_what_is_asked_for_here(
    site: Site, site_db: Session, platform: Platform, linked: LtiCourse, registered: LtiPlatform
) -> None:
    root = make_lecturer(site_db, role=Role.ADMIN)
    bind(site_db, registered, "r", account=root)
    linked.gives_roles = True
    site_db.commit()
    visitor = site.visitor()
    answer = launch(site, platform, "r", visitor)
    assert answer.headers["Location"] == f"/signin?next=/courses/{linked.course_id}"
    assert visitor.get("/admin").status_code == 302
    assert site_db.scalars(sa.select(AccountRole.role)).all() == [Role.ADMIN], "who may everything gets no role more"


def test_a_second_factor_is_asked_for(site: Site, site_db: Session, platform: Platform, ada: Account) -> None:
    secret = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"
    begin_set_up(site_db, ada, secret, now=utc_now())
    codes = confirm(site_db, ada, secret, 1, now=utc_now())
    site_db.commit()
    visitor = site.visitor()
    answer = launch(site, platform, visitor=visitor)
    assert answer.headers["Location"].startswith("/signin/code?next=/courses/")
    assert visitor.get("/").status_code == 302
    done = visitor.post("/signin/code", {"code": codes[0], "next": f"/courses/{ada.roles[0].course_id}"})  # type: ignore[index]
    assert "MAT101" in visitor.text(done.headers["Location"])


def test_accounts_that_may_not_sign_in(site: Site, site_db: Session, platform: Platform, ada: Account) -> None:
    ada.active = False
    site_db.commit()
    assert "may not sign in" in plain(launch(site, platform).text)


def test_a_course_that_nobody_has_linked(
    site: Site, site_db: Session, platform: Platform, registered: LtiPlatform, admin: Any
) -> None:
    ada = make_lecturer(site_db)
    bind(site_db, registered, "u1", account=ada)
    # Students add none to the administrator's list.
    assert launch(site, platform, "s", claims={ROLES: LEARNER}).status_code == 403
    assert site_db.scalars(sa.select(LtiCourse)).all() == []
    site_db.commit()
    answer = launch(site, platform)
    assert (answer.status_code, "not linked yet" in plain(answer.text)) == (403, True)
    seen = site_db.scalars(sa.select(LtiCourse)).one()
    assert (seen.external_id, seen.label, seen.title, seen.course_id) == ("c1", "MAT101", "Linear algebra", None)
    assert seen.memberships_url == f"{platform.address}/members?c=c1"
    assert "MAT101 Linear algebra" in admin.text(f"/admin/lti/{registered.id}")


def test_students_come_to_their_own_page(
    site: Site, site_db: Session, platform: Platform, linked: LtiCourse, registered: LtiPlatform
) -> None:
    alan = make_student(site_db, name="Alan Turing")
    site_db.commit()
    visitor = site.visitor()
    answer = launch(site, platform, "s1", visitor, claims={ROLES: LEARNER})
    assert (answer.status_code, "not known here who you are" in plain(answer.text)) == (403, True)
    bind(site_db, registered, "s1", student=alan)
    answer = launch(site, platform, "s1", visitor, claims={ROLES: LEARNER})
    assert answer.headers["Location"].rstrip("/") == "/me"
    assert "Alan Turing" in visitor.text("/me")
    assert visitor.get("/").headers["Location"].startswith("/signin")
    entry = site_db.scalars(sa.select(AuditEntry)).one()
    assert (entry.action, entry.student) == ("own_page.opened", alan.index_number)


def test_a_student_is_found_by_address_where_that_counts(
    site: Site, site_db: Session, platform: Platform, linked: LtiCourse, registered: LtiPlatform
) -> None:
    alan = make_student(site_db, name="Alan Turing")
    alan.email = "alan@example.edu"
    registered.matching = LtiMatching.EMAIL
    site_db.commit()
    assert launch(site, platform, "s1", claims={ROLES: LEARNER, "email": "alan@example.edu"}).status_code == 302
    bound = site_db.scalars(sa.select(ExternalIdentity)).one()
    assert (bound.external_id, site_db.get_one(Student, bound.student_id)) == ("s1", alan)


def test_a_platform_that_does_not_sign_one_in(site: Site, platform: Platform, ada: Account) -> None:
    begun = begin(site, platform)
    form = {"error": "login_required", "state": begun.asked["state"]}
    answer = begun.visitor.client.post("/lti/launch", data=form)
    assert (answer.status_code, "(login_required)" in plain(answer.text)) == (403, True)
