"""A provider that lies, or somebody who pretends to be it: nobody is signed in, and the page says so in plain words."""

import hmac
import time
from base64 import urlsafe_b64encode

import pytest
import sqlalchemy as sa
from joserfc.jwk import ECKey, OctKey, RSAKey

from attendance.database.models import AuditEntry, SignIn, SpentAnswer
from tests.factories import make_lecturer
from tests.webapp.account.oidc.coming import START, come_in, way_back
from tests.webapp.account.oidc.hostile import CLIENT, SECRET, rsa, sign, unsigned
from tests.webapp.visiting import plain


@pytest.fixture(autouse=True)
def ada(site_db):
    made = make_lecturer(site_db, email="ada@example.edu")
    site_db.commit()
    return made


def nobody_is_in(site_db, visitor):
    site_db.rollback()  # what it has read so far is of before
    return visitor.get("/").status_code == 302 and site_db.scalar(sa.select(SignIn)) is None


def changed(**more):
    """Claims with these in place; None: without it."""
    return lambda claims: {name: value for name, value in {**claims, **more}.items() if value is not None}


OTHER = "https://login.evil.example"
CLAIMS = {
    "another issuer": changed(iss=OTHER),
    "no issuer": changed(iss=None),
    "another audience": changed(aud="another client"),
    "no audience": changed(aud=None),
    "one audience more": changed(aud=[CLIENT, "another client"], azp=CLIENT),
    "made for another party": changed(azp="another client"),
    "another nonce": changed(nonce="x" * 43),
    "no nonce": changed(nonce=None),
    "no subject": changed(sub=None),
    "an empty subject": changed(sub=""),
    "a subject that is none": changed(sub=12),
    "a subject too long": changed(sub="x" * 256),
    "no time": changed(iat=None),
    "no end": changed(exp=None),
    "an end that is none": changed(exp="tomorrow"),
    "an end that is never past": changed(exp=float("nan")),
    "an end that no date can say": changed(exp=10**30),
    "another token's hash": changed(at_hash="AAAAAAAAAAAAAAAAAAAAAA"),
}


def test_a_claim_that_is_wrong(site, site_db, provider):
    for name, lie in CLAIMS.items():
        provider.change_claims = lie
        visitor = site.visitor()
        assert come_in(visitor, provider).status_code in (400, 502), name
        assert nobody_is_in(site_db, visitor), name


def by_another(kid):
    return lambda claims: sign(claims, rsa("forged"), kid=kid)


def by_the_secret(claims):
    return sign(claims, OctKey.import_key(SECRET.encode()), alg="HS256", kid="one")


def by_the_public_key(claims):
    """The provider's public key taken for a shared secret."""
    said = unsigned(claims, alg="HS256", kid="one").rstrip(".")
    digest = hmac.new(rsa("one").as_pem(private=False), said.encode(), "sha256").digest()
    return f"{said}.{urlsafe_b64encode(digest).rstrip(b'=').decode()}"


def by_a_key_of_its_own(claims):
    """The token brings the key with which it is signed."""
    key = RSAKey.generate_key(2048, {"kid": "mine"})
    return sign(claims, key, jwk=key.as_dict(private=False))


def by_another_algorithm(claims):
    key = RSAKey.import_key(rsa("one").as_dict(private=True) | {"alg": "RS512"})
    return sign(claims, key, alg="RS512")


def cut(claims):
    return sign(claims, rsa("one")).rpartition(".")[0] + "."


def changed_inside(claims):
    header, _, signature = sign(claims, rsa("one")).split(".")
    return ".".join([header, unsigned(claims | {"sub": "mallory"}).split(".")[1], signature])


TOKENS = {
    "no signature": unsigned,
    "no signature, with a key's name": lambda claims: unsigned(claims, kid="one"),
    "another key": by_another("one"),
    "a key that nobody knows": by_another("unknown"),
    "a key without a name": lambda claims: sign(claims, rsa("one"), kid=None),
    "a name that is empty": lambda claims: sign(claims, rsa("one"), kid=""),
    "the client's secret": by_the_secret,
    "the public key as a secret": by_the_public_key,
    "a key that it brings": by_a_key_of_its_own,
    "another algorithm": by_another_algorithm,
    "an extension": lambda claims: sign(claims, rsa("one"), b64=True, crit=["b64"]),
    "a signature cut off": cut,
    "claims changed": changed_inside,
    "no token": lambda _claims: "",
    "words": lambda _claims: "this is no token",
    "five parts": lambda _claims: "e30.e30.e30.e30.e30",
    "a number": lambda _claims: 12,
    "deep": lambda claims: sign(claims | {"x": "y" * 130_000}, rsa("one")),
}


def test_a_forged_token(site, site_db, provider):
    for name, forge in TOKENS.items():
        provider.make_token = forge
        visitor = site.visitor()
        answer = come_in(visitor, provider)
        assert answer.status_code == 400, name
        assert "gave an answer that cannot be trusted, so nobody was signed in" in plain(answer.text), name
        assert nobody_is_in(site_db, visitor), name
    site_db.rollback()
    actions = site_db.scalars(sa.select(AuditEntry.action)).all()
    assert actions == ["sign_in.failed"] * len(TOKENS)


REPLIES = {
    "no id_token": lambda reply: {name: value for name, value in reply.items() if name != "id_token"},
    "id_token null": lambda reply: reply | {"id_token": None},
    "nothing": lambda _reply: {},
    "an error with status 200": lambda _reply: {"error": "invalid_grant"},
    "a list": lambda reply: [reply],
    "no JSON": lambda _reply: b"<html>",
    "a number that is none": lambda reply: reply | {"expires_in": "soon"},
    "deep JSON": lambda _reply: b"[" * 100_000,
    "much": lambda _reply: b'"' + b"x" * 600_000 + b'"',
}


def test_a_reply_that_is_wrong(site, site_db, provider):
    for name, lie in REPLIES.items():
        provider.change_reply = lie
        visitor = site.visitor()
        assert come_in(visitor, provider).status_code in (400, 502, 503), name
        assert nobody_is_in(site_db, visitor), name


ANSWERS = {
    "another state": lambda answer: answer | {"state": "x" * 43},
    "no state": lambda answer: {"code": answer["code"], "iss": answer["iss"]},
    "another provider's": lambda answer: answer | {"iss": OTHER},
    "no provider's, where it names itself": lambda answer: {"code": answer["code"], "state": answer["state"]},
    "no code": lambda answer: {"state": answer["state"], "iss": answer["iss"]},
    "another code": lambda answer: answer | {"code": "guessed"},
    "a code too long": lambda answer: answer | {"code": "x" * 5_000},
    "declined": lambda answer: {"error": "access_denied", "state": answer["state"], "iss": answer["iss"]},
    "away": lambda answer: {"error": "temporarily_unavailable", "state": answer["state"], "iss": answer["iss"]},
}


def test_an_answer_that_is_wrong(site, site_db, provider):
    for name, lie in ANSWERS.items():
        provider.change_answer = lie
        visitor = site.visitor()
        assert come_in(visitor, provider).status_code in (400, 403, 503), name
        assert nobody_is_in(site_db, visitor), name


def test_an_answer_that_says_something_twice(site, site_db, provider):
    visitor = site.visitor()
    assert visitor.get(f"{way_back(visitor, provider)}&code=another").status_code == 400
    assert nobody_is_in(site_db, visitor)


def test_an_answer_to_another_browser(site, site_db, provider):
    """Somebody's own answer, sent to another person: they would work in the sender's account."""
    back = way_back(site.visitor(), provider)
    visitor = site.visitor()
    assert visitor.get(back).status_code == 400
    assert nobody_is_in(site_db, visitor)
    assert "/token" not in provider.asked


def test_an_answer_counts_once(site, site_db, provider):
    visitor = site.visitor()
    back = way_back(visitor, provider)
    assert visitor.get(back).status_code == 302
    again = visitor.get(back)
    assert again.status_code == 400
    assert "Please sign in again" in again.text


def test_an_answer_counts_once_also_with_the_cookie_of_before_and_a_provider_that_forgets(site, site_db, provider):
    provider.codes_count_once = False
    visitor, copy = site.visitor(), site.visitor()
    back = way_back(visitor, provider)
    with visitor.client.session_transaction() as kept:
        cookie = dict(kept)
    assert visitor.get(back).status_code == 302
    with copy.client.session_transaction() as session:
        session.update(cookie)
    answer = copy.get(back)
    assert answer.status_code == 400
    assert provider.asked.count("/token") == 2  # it gave tokens for the same code, and yet
    assert copy.get("/").status_code == 302
    assert site_db.scalar(sa.select(sa.func.count()).select_from(SpentAnswer)) == 1


def test_a_code_that_was_used_is_refused(site, site_db, provider):
    visitor, copy = site.visitor(), site.visitor()
    back = way_back(visitor, provider)
    with visitor.client.session_transaction() as kept:
        cookie = dict(kept)
    assert visitor.get(back).status_code == 302
    with copy.client.session_transaction() as session:
        session.update(cookie)
    assert copy.get(back).status_code == 400
    assert copy.get("/").status_code == 302


def test_an_answer_that_took_too_long(site, site_db, provider):
    visitor = site.visitor()
    back = way_back(visitor, provider)
    with visitor.client.session_transaction() as session:
        session["provider"] = {state: [*kept[:-1], kept[-1] - 901] for state, kept in session["provider"].items()}
    assert visitor.get(back).status_code == 400
    assert "/token" not in provider.asked


class TestKeys:
    def test_a_new_key_counts_at_once(self, site, provider):
        assert come_in(site.visitor(), provider).status_code == 302
        provider.signing = [rsa("two"), rsa("one")]
        assert come_in(site.visitor(), provider).status_code == 302

    def test_a_withdrawn_key_counts_no_more_from_then_on(self, site, provider):
        assert come_in(site.visitor(), provider).status_code == 302
        provider.published = [rsa("two")]  # the first was stolen; the thief still signs with it
        visitor = site.visitor()
        assert come_in(visitor, provider).status_code == 400
        assert visitor.get("/").status_code == 302

    def test_a_key_for_encryption_signs_nothing(self, site, provider):
        provider.published = [rsa("one").as_dict(private=False) | {"use": "enc"}]
        assert come_in(site.visitor(), provider).status_code == 400

    def test_a_shared_secret_among_the_keys_signs_nothing(self, site, provider):
        secret = OctKey.import_key({"kty": "oct", "k": "c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0", "kid": "shared"})
        provider.published = [secret.as_dict(private=True)]
        provider.make_token = lambda claims: sign(claims, secret, alg="HS256")
        assert come_in(site.visitor(), provider).status_code == 400

    def test_keys_that_nobody_knows_stand_beside(self, site, provider):
        provider.published = [{"kty": "post-quantum", "kid": "new"}, "no key", rsa("one")]
        assert come_in(site.visitor(), provider).status_code == 302

    def test_a_key_that_is_broken(self, site, provider):
        provider.published = [{"kty": "RSA", "kid": "one", "n": "AQ", "e": "!"}]
        assert come_in(site.visitor(), provider).status_code == 400

    def test_elliptic_keys(self, site, provider):
        key = ECKey.generate_key("P-256", {"kid": "ec", "use": "sig"})
        provider.signing = [key]
        provider.make_token = lambda claims: sign(claims, key, alg="ES256")
        provider.change_metadata = lambda said: said | {"id_token_signing_alg_values_supported": ["RS256", "ES256"]}
        assert come_in(site.visitor(), provider).status_code == 302


class TestClock:
    def test_an_hour_is_said_and_a_minute_is_nothing(self, site, site_db, provider):
        for provider.clock in (-3600, 3600):
            visitor = site.visitor()
            answer = come_in(visitor, provider)
            assert answer.status_code == 502
            assert "clock of this server differ" in plain(answer.text)
            assert nobody_is_in(site_db, visitor)
        for provider.clock in (-50, 50):
            assert come_in(site.visitor(), provider).status_code == 302

    def test_a_token_that_counts_later_only(self, site, site_db, provider):
        provider.change_claims = changed(nbf=int(time.time()) + 600)
        assert come_in(site.visitor(), provider).status_code == 502


METADATA = {
    "another issuer": {"issuer": OTHER},
    "no issuer": {"issuer": None},
    "no token endpoint": {"token_endpoint": None},
    "no keys": {"jwks_uri": None},
    "a script as its page": {"authorization_endpoint": "javascript:alert(1)"},
    "a file": {"token_endpoint": "file:///etc/passwd"},
    "secrets as signatures only": {"id_token_signing_alg_values_supported": ["HS256", "none"]},
    "algorithms that are none": {"id_token_signing_alg_values_supported": [1, {}]},
    "no PKCE with S256": {"code_challenge_methods_supported": ["plain"]},
}


def test_discovery_that_cannot_be_used(site, provider):
    for name, lie in METADATA.items():
        provider.change_metadata = lambda said, lie=lie: said | lie
        answer = site.visitor().get(START)
        assert answer.status_code == 502, name
        assert "do not understand each other" in plain(answer.text), name


def test_an_inner_address_that_no_setting_allows_is_not_asked(site, provider):
    """A provider that was broken into must not have the dashboard ask machines that only it can reach."""
    provider.change_metadata = lambda said: said | {"token_endpoint": "http://10.0.0.1/token"}
    visitor = site.visitor()
    assert come_in(visitor, provider).status_code == 503
    assert "/token" not in provider.asked


def test_guessing_is_slowed_down(site, site_db, provider):
    throttle = site.app.extensions["attendance_provider_throttle"]
    for _ in range(59):
        throttle.fail(throttle.begin("answer", "127.0.0.1"))
    visitor = site.visitor()
    assert come_in(visitor, provider).status_code == 302  # which is no failure
    visitor = site.visitor()
    provider.make_token = by_another("one")
    assert come_in(visitor, provider).status_code == 400
    provider.make_token = None
    answer = come_in(visitor, provider)
    assert (answer.status_code, answer.headers["Retry-After"]) == (429, "900")
    assert "too many failed sign-ins" in answer.text
