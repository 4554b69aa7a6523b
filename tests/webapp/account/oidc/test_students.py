"""Students open their own page through the provider, too."""

import pytest
import sqlalchemy as sa

from attendance.database.models import AuditEntry, ProviderIdentity, SignIn
from tests.factories import make_lecturer, make_student
from tests.webapp.account.oidc.coming import START, come_in
from tests.webapp.me.students import StudentVisitor, enter
from tests.webapp.visiting import plain

AS_STUDENT = f"{START}?as=student"


@pytest.fixture
def alan(site_db):
    made = make_student(site_db, "s123456", name="Alan Turing")
    made.email = "alan@example.edu"
    site_db.commit()
    return made


@pytest.fixture(autouse=True)
def student_there(provider):
    provider.person = {"sub": "alan", "email": "alan@example.edu"}


def test_the_page_offers_it(site):
    text = site.visitor().get("/me/signin").text
    assert 'href="/signin/provider?as=student"' in text
    assert "No mail is sent" not in text


def test_comes_to_the_own_page_and_no_further(site, site_db, provider, alan):
    visitor = StudentVisitor(site.app)
    assert come_in(visitor, provider, AS_STUDENT).location == "/me"
    assert "Alan Turing" in visitor.text("/me")
    assert visitor.get("/").status_code == 302
    entry = site_db.scalars(sa.select(AuditEntry).where(AuditEntry.action == "own_page.opened")).one()
    assert (entry.student, entry.actor_kind.value, entry.details) == ("s123456", "student", {"by": "provider"})
    assert site_db.scalars(sa.select(AuditEntry.subject).where(AuditEntry.action == "sign_in.linked")).all() == [None]
    left = visitor.post("/me/signout")
    assert left.headers["Refresh"].startswith(f"0; url={provider.address}/leave")
    assert visitor.get("/me").status_code == 302


def test_whoever_has_no_account_comes_to_the_own_page_from_the_other_sign_in(site, provider, alan):
    assert come_in(site.visitor(), provider).location == "/me"


def test_who_teaches_and_studies_is_both(site, site_db, provider, alan):
    make_lecturer(site_db, email="alan@example.edu")
    site_db.commit()
    assert come_in(site.visitor(), provider).location == "/"
    assert come_in(site.visitor(), provider, AS_STUDENT).location == "/me"
    kinds = site_db.scalars(sa.select(ProviderIdentity.kind).order_by(ProviderIdentity.kind)).all()
    assert kinds == ["account", "student"]


def test_nobody_of_that_address_is_refused_in_plain_words(site, provider):
    answer = come_in(site.visitor(), provider, AS_STUDENT)
    assert answer.status_code == 403
    assert "nobody here has your address" in plain(answer.text)
    assert 'href="/me/signin"' in answer.text


def test_a_reused_address_opens_nobodys_page(site, site_db, provider, alan):
    come_in(site.visitor(), provider, AS_STUDENT)
    provider.person = {"sub": "next-year", "email": "alan@example.edu"}
    assert come_in(site.visitor(), provider, AS_STUDENT).status_code == 403


def test_another_address_on_record_releases_the_student(site, site_db, provider, alan, admin):
    """The one from before may have been somebody else's."""
    visitor = StudentVisitor(site.app)
    come_in(visitor, provider, AS_STUDENT)
    form = {"index_number": "s123456", "name": "Alan Turing", "email": "right@example.edu"}
    assert admin.post(f"/admin/students/{alan.id}", form).status_code == 302
    assert visitor.get("/me").status_code == 302
    assert come_in(site.visitor(), provider, AS_STUDENT).status_code == 403
    provider.person = {"sub": "the-right-one", "email": "right@example.edu"}
    assert come_in(site.visitor(), provider, AS_STUDENT).location == "/me"


def test_an_administrator_releases_a_student(site, site_db, provider, alan, admin):
    come_in(site.visitor(), provider, AS_STUDENT)
    assert "Bound on" in admin.text(f"/admin/students/{alan.id}")
    admin.post(f"/admin/students/{alan.id}/release")
    assert site_db.scalar(sa.select(ProviderIdentity)) is None
    assert site_db.scalar(sa.select(sa.func.count()).where(SignIn.student_id.is_not(None))) == 0
    entry = site_db.scalars(sa.select(AuditEntry).where(AuditEntry.action == "sign_in.unlinked")).one()
    assert (entry.student, entry.subject) == ("s123456", None)


def test_mailed_links_go_on_working(site, site_db, provider, alan):
    come_in(site.visitor(), provider, AS_STUDENT)
    assert "Alan Turing" in enter(site, site_db, alan).text("/me")


def test_a_student_who_is_refused_is_not_named_in_the_log(site, site_db, provider):
    come_in(site.visitor(), provider, AS_STUDENT)
    entry = site_db.scalars(sa.select(AuditEntry).where(AuditEntry.action == "sign_in.failed")).one()
    assert (entry.subject, entry.student) == (None, None)


class TestByNumber:
    @pytest.fixture
    def oidc(self):
        claim = "schac_code = urn:schac:personalUniqueCode:int:esi:example.edu:*"
        return {"student_claim": claim, "student_field": "index_number"}

    def test_a_part_of_a_claim_is_the_number(self, site, provider, alan):
        code = "urn:schac:personalUniqueCode:int:esi:example.edu:s123456"
        provider.person = {"sub": "alan", "schac_code": [code, "urn:schac:personalUniqueCode:int:other:1"]}
        assert come_in(site.visitor(), provider, AS_STUDENT).location == "/me"

    def test_another_number_releases_the_student(self, site, site_db, provider, alan, admin):
        provider.person = {"sub": "alan", "schac_code": "urn:schac:personalUniqueCode:int:esi:example.edu:s123456"}
        come_in(site.visitor(), provider, AS_STUDENT)
        form = {"index_number": "s999999", "name": "Alan Turing", "email": "alan@example.edu"}
        admin.post(f"/admin/students/{alan.id}", form)
        assert site_db.scalar(sa.select(ProviderIdentity)) is None


class TestWithoutStudents:
    @pytest.fixture
    def oidc(self):
        return {"students": False}

    def test_they_come_by_link_alone(self, site, provider, alan):
        assert "/signin/provider" not in site.visitor().get("/me/signin").text
        assert come_in(site.visitor(), provider, AS_STUDENT).status_code == 403
