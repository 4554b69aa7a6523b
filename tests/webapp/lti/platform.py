"""A small learning platform on loopback, written from the standards: LTI 1.3 core, the 1EdTech Security Framework 1.0,
Names and Role Provisioning Services 2.0, Assignment and Grade Services 2.0, Deep Linking 2.0, and Dynamic Registration
1.0.

It checks what a tool sends as the standards say, so that a test sees what Moodle or Canvas would refuse.
"""

import html
import json
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from joserfc import jwt
from joserfc.jwk import KeySet, RSAKey

from tests.webapp.outside.receiving import Answer, Asked, receiving

LTI = "https://purl.imsglobal.org/spec/lti/claim/"
MEMBERSHIP = "http://purl.imsglobal.org/vocab/lis/v2/membership"
NRPS = "https://purl.imsglobal.org/spec/lti-nrps"
AGS = "https://purl.imsglobal.org/spec/lti-ags"
DL = "https://purl.imsglobal.org/spec/lti-dl/claim/"
TOOL = "https://purl.imsglobal.org/spec/lti-tool-configuration"
PLATFORM = "https://purl.imsglobal.org/spec/lti-platform-configuration"
REGISTRATION_TOKEN = "registration.token"
CLIENT = "client-1"
DEPLOYMENT = "7"


@cache
def made_key(number: int) -> RSAKey:
    """A key; making one takes a tenth of a second and more, so tests share them."""
    return RSAKey.generate_key(2048, {"kid": f"key-{number}-{secrets.token_hex(4)}", "use": "sig", "alg": "RS256"})


@dataclass
class Platform:
    """A platform with one tool, one course and the people in it."""

    address: str = ""
    tool: str = ""
    """The tool's address, e.g. http://127.0.0.1:8000."""
    client_id: str = CLIENT
    deployment: str = DEPLOYMENT
    keys: list[RSAKey] = field(default_factory=list)
    published: list[dict[str, Any]] | str | None = None
    """In place of its keys, or of all that is said there."""
    token_lasts: Any = 3600
    tool_keys: dict[str, Any] | None = None
    """What the tool publishes, where the platform cannot fetch it."""
    members: list[dict[str, Any]] = field(default_factory=list)
    page_size: int = 50
    line_items: dict[str, dict[str, Any]] = field(default_factory=dict)
    scores: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)
    refuses: set[str] = field(default_factory=set)
    """Paths that answer with 503."""
    next_page: str | None = None
    """The header Link of every page of members, in place of the right one."""
    no_json: bool = False
    """Whether members come as something else than JSON."""
    unknown_users: set[str] = field(default_factory=set)
    configuration: dict[str, Any] = field(default_factory=dict)
    """What it says of itself otherwise than it should."""
    answers_with: dict[str, Any] = field(default_factory=dict)
    """What its answer to a registration holds otherwise than it should; `deployment` of None: it says none."""
    registered: list[dict[str, Any]] = field(default_factory=list)
    """Tools that registered themselves."""
    links: list[dict[str, Any]] = field(default_factory=list)
    """Content items that a tool sent."""
    _nonces: set[str] = field(default_factory=set)
    _tokens: dict[str, set[str]] = field(default_factory=dict)
    _jtis: set[str] = field(default_factory=set)

    def rotate(self) -> None:
        """Sign with a new key; the one before stays published."""
        self.keys.append(made_key(len(self.keys)))

    @property
    def key(self) -> RSAKey:
        """The key that signs."""
        return self.keys[-1]

    def registration(self) -> dict[str, Any]:
        """What the platform shows of the tool's registration: columns of `LtiPlatform`."""
        return {
            "issuer": self.address,
            "client_id": self.client_id,
            "keys_url": f"{self.address}/keys",
            "authorisation_url": f"{self.address}/auth",
            "token_url": f"{self.address}/token",
        }

    def initiation(self, user: str = "u1") -> str:
        """The address of the tool to which the platform sends a browser first; its path and query."""
        hints = {"login_hint": user, "lti_message_hint": "m1", "client_id": self.client_id}
        given = {"iss": self.address, "target_link_uri": f"{self.tool}/lti/launch", **hints}
        return f"/lti/login?{urlencode(given | {'lti_deployment_id': self.deployment})}"

    def choosing(self, user: str = "u1") -> str:
        """The same where a lecturer inserts a link and is to choose what it opens."""
        return self.initiation(user).replace("%2Flti%2Flaunch", "%2Flti%2Fdeep-link").replace("=m1", "=choose")

    def claims(self, nonce: str, user: str = "u1", **other: Any) -> dict[str, Any]:
        """The claims of a launch of the course; `other` by their whole names, None to leave one out."""
        now = int(time.time())
        person = next((one for one in self.members if one["user_id"] == user), {"user_id": user})
        claims: dict[str, Any] = {
            "iss": self.address, "sub": user, "aud": self.client_id, "nonce": nonce, "iat": now, "exp": now + 300,
            LTI + "message_type": "LtiResourceLinkRequest", LTI + "version": "1.3.0",
            LTI + "deployment_id": self.deployment, LTI + "target_link_uri": f"{self.tool}/lti/launch",
            LTI + "resource_link": {"id": "link-1", "title": "Attendance"},
            LTI + "roles": person.get("roles", [f"{MEMBERSHIP}#Instructor"]),
            LTI + "context": {"id": "c1", "label": "MAT101", "title": "Linear algebra",
                              "type": ["http://purl.imsglobal.org/vocab/lis/v2/course#CourseOffering"]},
            f"{NRPS}/claim/namesroleservice": {
                "context_memberships_url": f"{self.address}/members?c=c1", "service_versions": ["2.0"]},
            f"{AGS}/claim/endpoint": {
                "scope": [f"{AGS}/scope/lineitem", f"{AGS}/scope/score"],
                "lineitems": f"{self.address}/lineitems?type_id=3"},
            **{name: person[name] for name in ("name", "given_name", "family_name", "email") if name in person},
        }  # fmt: skip
        return {name: value for name, value in (claims | other).items() if value is not None}

    def asking(self, nonce: str, user: str = "u1", *, settings: dict[str, Any] | None = None, **other: Any) -> Any:
        """The claims with which the platform asks what a link is to open; `settings` of it otherwise than usual."""
        usual = {
            "deep_link_return_url": f"{self.address}/return?course=c1", "accept_types": ["link", "ltiResourceLink"],
            "accept_presentation_document_targets": ["iframe", "window"], "accept_multiple": False, "data": "d=1 ü",
        }  # fmt: skip
        said = {name: value for name, value in (usual | (settings or {})).items() if value is not None}
        asked = {LTI + "message_type": "LtiDeepLinkingRequest", LTI + "resource_link": None}
        return self.claims(nonce, user, **asked, **{DL + "deep_linking_settings": said}, **other)

    def registering(self, address: str) -> str:
        """The address of a tool that registers itself, as the platform opens it (section 3.4)."""
        mark = "&" if "?" in address else "?"
        said = {
            "openid_configuration": f"{self.address}/openid-configuration",
            "registration_token": REGISTRATION_TOKEN,
        }
        return f"{address}{mark}{urlencode(said)}"

    def sign(self, claims: dict[str, Any], *, key: RSAKey | None = None, **header: Any) -> str:
        """A token, signed with the platform's key; `header` by its names, None to leave one out."""
        key = key or self.key
        said = {"alg": "RS256", "kid": key.kid, **header}
        return jwt.encode({name: value for name, value in said.items() if value is not None}, claims, key)

    # What a tool and a browser ask for.

    def answer(self, method: str, path: str, query: dict[str, str], headers: Any, body: bytes) -> tuple[int, Any, Any]:
        """Status, body, and headers of an answer; the names of the request's headers are in small letters."""
        self.requests.append(f"{method} {path}")
        if path in self.refuses:
            return 503, {"error": "down"}, {}
        if path.startswith("/lineitems/") and path.endswith("/scores") and method == "POST":
            return self._score(path.split("/")[2], headers, body)
        framed = (
            f'<h1>Linear algebra</h1><iframe width="900" height="500" src="{self.tool}{self.initiation()}"></iframe>'
        )
        answers = {
            "/course": lambda: (200, framed, {"Content-Type": "text/html"}),
            "/insert": lambda: (200, framed.replace(self.initiation(), self.choosing()), {"Content-Type": "text/html"}),
            "/add": lambda: (200, _adding(self.registering(query["url"])), {"Content-Type": "text/html"}),
            "/openid-configuration": lambda: self._configuration(headers),
            "/register": lambda: self._register(headers, body),
            "/return": lambda: self._take_links(query, {k: v[0] for k, v in parse_qs(body.decode()).items()}),
            "/keys": self._keys,
            "/auth": lambda: self._authorise(query),
            "/token": lambda: self._token({k: v[0] for k, v in parse_qs(body.decode()).items()}),
            "/members": lambda: self._members(query, headers),
            "/lineitems": lambda: self._line_items(method, query, headers, body),
        }
        return answers[path]() if path in answers else (404, {"error": "nothing here"}, {})

    def _keys(self) -> tuple[int, Any, Any]:
        if isinstance(self.published, str):
            return 200, self.published, {}
        shown = self.published if self.published is not None else KeySet(list(self.keys)).as_dict()["keys"]
        return 200, {"keys": shown}, {}

    def _authorise(self, query: dict[str, str]) -> tuple[int, Any, Any]:
        wanted = {"scope": "openid", "response_type": "id_token", "response_mode": "form_post", "prompt": "none"}
        wrong = [name for name, value in wanted.items() if query.get(name) != value]
        wrong += ["client_id"] if query.get("client_id") != self.client_id else []
        wrong += ["redirect_uri"] if query.get("redirect_uri") != f"{self.tool}/lti/launch" else []
        wrong += [name for name in ("state", "nonce", "login_hint") if not query.get(name)]
        if wrong or query["nonce"] in self._nonces:
            return 400, {"error": f"wrong: {wrong}"}, {}
        self._nonces.add(query["nonce"])
        claims = self.asking if query.get("lti_message_hint") == "choose" else self.claims
        fields = {"state": query["state"], "id_token": self.sign(claims(query["nonce"], query["login_hint"]))}
        inputs = "".join(f'<input type="hidden" name="{n}" value="{html.escape(v)}">' for n, v in fields.items())
        action = html.escape(query["redirect_uri"])
        page = f'<form method="post" action="{action}">{inputs}<button>Go on</button></form>'
        return 200, page + "<script>document.forms[0].submit()</script>", {"Content-Type": "text/html"}

    def _configuration(self, headers: Any) -> tuple[int, Any, Any]:
        """Sections 3.5 and 3.6; a token is wanted, as Canvas does."""
        if headers.get("authorization") != f"Bearer {REGISTRATION_TOKEN}":
            return 401, {"error": "no token"}, {}
        said = {
            "issuer": self.address, "authorization_endpoint": f"{self.address}/auth",
            "token_endpoint": f"{self.address}/token", "jwks_uri": f"{self.address}/keys",
            "registration_endpoint": f"{self.address}/register",
            "token_endpoint_auth_methods_supported": ["private_key_jwt"],
            "token_endpoint_auth_signing_alg_values_supported": ["RS256"],
            "id_token_signing_alg_values_supported": ["RS256"], "response_types_supported": ["id_token"],
            "subject_types_supported": ["public"], "claims_supported": ["sub", "iss", "name", "email"],
            "scopes_supported": [f"{AGS}/scope/lineitem", f"{AGS}/scope/score",
                                 f"{NRPS}/scope/contextmembership.readonly"],
            PLATFORM: {"product_family_code": "moodle", "version": "5.0", "messages_supported": [
                {"type": "LtiResourceLinkRequest"},
                {"type": "LtiDeepLinkingRequest", "placements": ["ContentArea", "RichTextEditor"]}]},
        }  # fmt: skip
        return 200, {k: v for k, v in (said | self.configuration).items() if v is not None}, {}

    def _register(self, headers: Any, body: bytes) -> tuple[int, Any, Any]:
        """Sections 3.7 and 3.8; a token counts once."""
        if headers.get("authorization") != f"Bearer {REGISTRATION_TOKEN}" or self.registered:
            return 401, {"error": "invalid_token"}, {}
        assert headers["content-type"] == "application/json"
        sent = json.loads(body)
        assert sent["application_type"] == "web"
        assert sent["response_types"] == ["id_token"]
        assert {"implicit", "client_credentials"} <= set(sent["grant_types"])
        assert sent["token_endpoint_auth_method"] == "private_key_jwt"
        assert sent["redirect_uris"] == [f"{self.tool}/lti/launch"]
        for name, path in (("initiate_login_uri", "login"), ("jwks_uri", "keys"), ("logo_uri", "logo.svg")):
            assert sent[name] == f"{self.tool}/lti/{path}"
        tool = sent[TOOL]
        assert tool["domain"] == urlsplit(self.tool).hostname
        assert tool["target_link_uri"] == f"{self.tool}/lti/launch"
        assert {"iss", "sub"} <= set(tool["claims"])
        self.registered.append(sent)
        with_ours = {**tool, "deployment_id": self.deployment}
        answer = {**sent, "client_id": self.client_id, TOOL: with_ours, **self.answers_with}
        return 201, {name: value for name, value in answer.items() if value is not None}, {}

    def _take_links(self, query: dict[str, str], form: dict[str, str]) -> tuple[int, Any, Any]:
        """Deep Linking 2.0, section 4.4.2, and the Security Framework, section 5.2.2."""
        assert query == {"course": "c1"}
        assert set(form) == {"JWT"}
        said = jwt.decode(form["JWT"], KeySet.import_key_set(self.tool_keys), algorithms=["RS256"]).claims  # type: ignore[arg-type]
        now = time.time()
        assert (said["iss"], said["aud"]) == (self.client_id, self.address)
        assert now - 300 < said["iat"] <= now + 5 < said["exp"]
        if said["nonce"] in self._nonces:
            return 400, {"error": "nonce"}, {}
        self._nonces.add(said["nonce"])
        assert said[LTI + "message_type"] == "LtiDeepLinkingResponse"
        assert (said[LTI + "version"], said[LTI + "deployment_id"]) == ("1.3.0", self.deployment)
        assert said[DL + "data"] == "d=1 ü"
        self.links += said[DL + "content_items"]
        return 200, f"<h1>{len(said[DL + 'content_items'])} inserted</h1>", {"Content-Type": "text/html"}

    def _token(self, form: dict[str, str]) -> tuple[int, Any, Any]:
        """RFC 7523, as the Security Framework, section 4.1.1, wants it."""
        assert form["grant_type"] == "client_credentials"
        assert form["client_assertion_type"] == "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
        decoded = jwt.decode(form["client_assertion"], KeySet.import_key_set(self.tool_keys), algorithms=["RS256"])  # type: ignore[arg-type]
        said, now = decoded.claims, time.time()
        assert said["iss"] == said["sub"] == self.client_id
        assert said["aud"] == f"{self.address}/token"
        assert said["iat"] <= now + 5
        assert now < said["exp"] <= said["iat"] + 600
        if said["jti"] in self._jtis:
            return 400, {"error": "invalid_client"}, {}
        self._jtis.add(said["jti"])
        token = secrets.token_urlsafe(16)
        self._tokens[token] = set(form["scope"].split())
        given = {"access_token": token, "token_type": "Bearer", "expires_in": self.token_lasts}
        return 200, {**given, "scope": form["scope"]}, {}

    def _may(self, headers: Any, scope: str) -> bool:
        kind, _, token = headers.get("authorization", "").partition(" ")
        return kind == "Bearer" and scope in self._tokens.get(token, ())

    def forget_tokens(self) -> None:
        """All access tokens end before their time."""
        self._tokens.clear()

    def _members(self, query: dict[str, str], headers: Any) -> tuple[int, Any, Any]:
        if not self._may(headers, f"{NRPS}/scope/contextmembership.readonly"):
            return 401, {"error": "no token"}, {}
        assert "vnd.ims.lti-nrps.v2.membershipcontainer+json" in headers.get("accept", "")
        start = int(query.get("from", 0))
        page = self.members[start : start + self.page_size]
        more = {}
        if start + self.page_size < len(self.members):
            more["Link"] = f'<{self.address}/members?c=c1&from={start + self.page_size}>; rel="next"'
        if self.next_page is not None:
            more["Link"] = self.next_page
        if self.no_json:
            return 200, "<html>", {}
        return 200, {"id": f"{self.address}/members?c=c1", "context": {"id": "c1"}, "members": page}, more

    def _line_items(self, method: str, query: dict[str, str], headers: Any, body: bytes) -> tuple[int, Any, Any]:
        assert query["type_id"] == "3", "Moodle's addresses carry a query, which must be kept"
        if not self._may(headers, f"{AGS}/scope/lineitem"):
            return 401, {"error": "no token"}, {}
        if method == "GET":
            items = [one for one in self.line_items.values() if one.get("resourceId") == query.get("resource_id")]
            return 200, items, {}
        assert headers["content-type"] == "application/vnd.ims.lis.v2.lineitem+json"
        made = json.loads(body)
        assert made["label"]
        assert made["scoreMaximum"] > 0
        number = str(len(self.line_items) + 1)
        self.line_items[number] = {**made, "id": f"{self.address}/lineitems/{number}/lineitem?type_id=3"}
        return 201, self.line_items[number], {}

    def _score(self, number: str, headers: Any, body: bytes) -> tuple[int, Any, Any]:
        if not self._may(headers, f"{AGS}/scope/score"):
            return 401, {"error": "no token"}, {}
        assert headers["content-type"] == "application/vnd.ims.lis.v1.score+json"
        score = json.loads(body)
        if number not in self.line_items or score["userId"] in self.unknown_users:
            return 404, {"error": "no such line item or user"}, {}
        assert {"timestamp", "activityProgress", "gradingProgress"} <= score.keys()
        assert ("scoreGiven" in score) == ("scoreMaximum" in score)
        self.scores.append((number, score))
        return 204, "", {}


def _adding(address: str) -> str:
    """A page that opens a tool for registering in a frame, and takes it away when the tool says that it is done."""
    return (
        f'<h1>Add a tool</h1><iframe width="900" height="600" src="{html.escape(address)}"></iframe><script>'
        "addEventListener('message', (e) => { if (e.data.subject !== 'org.imsglobal.lti.close') return;"
        "document.querySelector('iframe').remove(); document.querySelector('h1').textContent = 'Added'; });</script>"
    )


@contextmanager
def running_platform() -> Iterator[Platform]:
    """A platform that listens on loopback until the block ends."""
    platform = Platform()
    platform.rotate()

    def answering(asked: Asked) -> Answer:
        parts = urlsplit(asked.path)
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        path = parts.path.replace("/lineitem/scores", "/scores")
        try:
            status, said, headers = platform.answer(asked.method, path, query, asked.headers, asked.body)
        except AssertionError as error:
            status, said, headers = 400, {"error": repr(error)}, {}
        data = said.encode() if isinstance(said, str) else json.dumps(said).encode()
        return Answer(status, {"Content-Type": "application/json", **headers}, data)

    with receiving() as receiver:
        receiver.answering = answering
        platform.address = receiver.address
        yield platform
