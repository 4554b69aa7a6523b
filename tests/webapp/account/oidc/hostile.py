"""An OpenID provider of the tests' own, on joserfc: it does what it should, until a test lets it lie.

Nobody types a password: whom `person` names is signed in at once. It checks what a provider must check (client, PKCE,
redirect address, a code for one time), so that a dashboard that leaves something out does not pass.
"""

import base64
import hashlib
import json
import secrets
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlencode, urlsplit

from joserfc import jwt
from joserfc.jwk import ECKey, OctKey, RSAKey

CLIENT, SECRET = "attendance of tests", "a secret: with % and + and ü"
LOGOUT_EVENT = "http://schemas.openid.net/event/backchannel-logout"

Claims = dict[str, Any]


@cache
def rsa(kid: str) -> RSAKey:
    """A key of 2048 bits; made once a run, as that takes a while."""
    return RSAKey.generate_key(2048, {"kid": kid, "use": "sig", "alg": "RS256"})


def sign(claims: Claims, key: RSAKey | ECKey | OctKey, **header: Any) -> str:
    """A token as the provider makes it; `alg=None` or `kid=None` leaves that out of its header."""
    given = {"alg": "RS256", "kid": key.kid, **header}
    said = {name: value for name, value in given.items() if value is not None}
    return jwt.encode(said, claims, key, algorithms=[said["alg"]])


def unsigned(claims: Claims, **header: Any) -> str:
    """A token that says that it needs no signature."""
    parts = ({"alg": "none", **header}, claims)
    return ".".join(base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode() for part in parts) + "."


@dataclass
class HostileProvider:
    """What it does; every attribute may be changed while it runs.

    Attributes:
        person: the claims of the person whom it signs in.
        userinfo: what it says beyond the ID token, where it is asked; None: it has no userinfo.
        signing: its keys; with the first it signs.
        published: those that it shows; None: those with which it signs.
        clock: seconds by which its clock is ahead.
        make_token: makes the ID token of its claims; None: an honest one.
        change_claims: changes the claims of the ID token.
        change_reply: changes the token reply.
        change_answer: changes what the browser brings back.
        change_metadata: changes what discovery says.
        codes_count_once: whether a code is refused the second time.
        delay_s: how long it takes to answer.
        fails_with: a status with which it answers everything.
    """

    address: str = ""
    person: Claims = field(default_factory=lambda: {"sub": "ada", "email": "ada@example.edu", "email_verified": True})
    userinfo: Claims | None = None
    signing: list[RSAKey] = field(default_factory=lambda: [rsa("one")])
    published: list[Any] | None = None
    clock: float = 0
    make_token: Callable[[Claims], str] | None = None
    change_claims: Callable[[Claims], Claims] = dict
    change_reply: Callable[[Claims], Any] = dict
    change_answer: Callable[[dict[str, str]], dict[str, str]] = dict
    change_metadata: Callable[[Claims], Claims] = dict
    codes_count_once: bool = True
    delay_s: float = 0
    fails_with: int | None = None
    session: str | None = "session-1"
    asked: list[str] = field(default_factory=list)
    _codes: dict[str, dict[str, str]] = field(default_factory=dict)
    _tokens: dict[str, Claims] = field(default_factory=dict)

    def metadata(self) -> Claims:
        """What discovery says."""
        said = {
            "issuer": self.address,
            "authorization_endpoint": f"{self.address}/authorize",
            "token_endpoint": f"{self.address}/token",
            "jwks_uri": f"{self.address}/keys",
            "end_session_endpoint": f"{self.address}/leave",
            "response_types_supported": ["code"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["RS256", "HS256", "none"],
            "code_challenge_methods_supported": ["S256"],
            "authorization_response_iss_parameter_supported": True,
        }
        if self.userinfo is not None:
            said["userinfo_endpoint"] = f"{self.address}/userinfo"
        return self.change_metadata(said)

    def authorize(self, address: str) -> str:
        """Sign the person in; where the browser goes back to, with the answer."""
        asked = {name: values[0] for name, values in parse_qs(urlsplit(address).query).items()}
        assert asked["response_type"] == "code"
        assert "openid" in asked["scope"].split()
        assert asked["code_challenge_method"] == "S256"
        assert asked["client_id"] == CLIENT
        code = secrets.token_urlsafe(8)
        self._codes[code] = asked
        answer = self.change_answer({"code": code, "state": asked["state"], "iss": self.address})
        return f"{asked['redirect_uri']}?{urlencode(answer)}"

    def token(self, headers: Any, form: dict[str, str]) -> tuple[int, Any]:
        """The answer to a token request."""
        kind, _, pair = headers.get("Authorization", "").partition(" ")
        given = [unquote(part) for part in base64.b64decode(pair).decode().split(":")] if kind == "Basic" else []
        if given != [CLIENT, SECRET]:
            return 401, {"error": "invalid_client"}
        asked = self._codes.pop(form["code"], None) if self.codes_count_once else self._codes.get(form["code"])
        if asked is None or form["redirect_uri"] != asked["redirect_uri"]:
            return 400, {"error": "invalid_grant", "error_description": "no such code"}
        digest = hashlib.sha256(form["code_verifier"].encode()).digest()
        if base64.urlsafe_b64encode(digest).rstrip(b"=").decode() != asked["code_challenge"]:
            return 400, {"error": "invalid_grant", "error_description": "PKCE"}
        now = int(time.time() + self.clock)
        claims = {"iss": self.address, "aud": CLIENT, "iat": now, "exp": now + 300, "nonce": asked["nonce"]}
        claims |= {"sid": self.session} if self.session else {}
        claims = self.change_claims(claims | self.person)
        access_token = secrets.token_urlsafe(8)
        self._tokens[access_token] = claims
        make = self.make_token or (lambda said: sign(said, self.signing[0]))
        reply = {"access_token": access_token, "token_type": "Bearer", "expires_in": 300, "id_token": make(claims)}
        return 200, self.change_reply(reply)

    def tell(self, headers: Any) -> tuple[int, Any]:
        """The answer of userinfo."""
        claims = self._tokens.get(headers.get("Authorization", "").removeprefix("Bearer "))
        return (401, {}) if claims is None else (200, {"sub": claims["sub"]} | (self.userinfo or {}))

    def keys(self) -> Claims:
        """Its keys, as it shows them."""
        shown = self.signing if self.published is None else self.published
        return {"keys": [key.as_dict(private=False) if isinstance(key, RSAKey | ECKey) else key for key in shown]}

    def logout_token(self, **changed: Any) -> str:
        """A token that tells of a logout; a claim that is None is left out."""
        now = int(time.time() + self.clock)
        claims = {"iss": self.address, "aud": CLIENT, "iat": now, "exp": now + 120, "jti": secrets.token_hex(8)}
        claims |= {"sub": self.person["sub"], "sid": self.session, "events": {LOGOUT_EVENT: {}}, **changed}
        return sign({name: value for name, value in claims.items() if value is not None}, self.signing[0])


class _Handler(BaseHTTPRequestHandler):
    provider: HostileProvider

    def log_message(self, *_arguments: Any) -> None:
        """Say nothing."""

    def do_GET(self) -> None:
        path, provider = urlsplit(self.path).path, self.provider
        if path == "/authorize":
            self._answer(302, {}, {"Location": provider.authorize(self.path)})
            return
        pages = {"/.well-known/openid-configuration": provider.metadata, "/keys": provider.keys}
        if path in pages:
            self._answer(200, pages[path]())
        elif path == "/userinfo":
            self._answer(*provider.tell(self.headers))
        else:
            self._answer(404, {})

    def do_POST(self) -> None:
        text = self.rfile.read(int(self.headers["Content-Length"])).decode()
        form = {name: values[0] for name, values in parse_qs(text, keep_blank_values=True).items()}
        self._answer(*self.provider.token(self.headers, form))

    def _answer(self, status: int, said: Any, headers: dict[str, str] | None = None) -> None:
        provider = self.provider
        provider.asked.append(urlsplit(self.path).path)
        time.sleep(provider.delay_s)
        body = said if isinstance(said, bytes) else json.dumps(said).encode()
        self.send_response(provider.fails_with or status)
        for name, value in {"Content-Type": "application/json", **(headers or {})}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


@contextmanager
def running_provider() -> Iterator[HostileProvider]:
    """The provider, on a free port of loopback."""
    provider = HostileProvider()
    handler = type("Handler", (_Handler,), {"provider": provider})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    provider.address = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield provider
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
