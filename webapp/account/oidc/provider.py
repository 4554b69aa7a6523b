"""The institution's provider: what is behind its issuer, and asking it.

What it offers is kept for some minutes, its keys are not: a key that it withdraws counts for nothing from then on.
"""

import secrets
import threading
import time
from base64 import b64encode
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, NoReturn
from urllib.parse import quote, urlencode

from authlib.common.urls import add_params_to_uri
from authlib.oauth2 import OAuth2Client, OAuth2Error

from attendance.settings.claims import values_of
from attendance.settings.oidc import ClientAuth, OidcSettings
from webapp.account.oidc.tokens import ALGORITHMS, Claims, read_id_token, read_logout_token
from webapp.account.oidc.trouble import ProviderError, Reason, quoted
from webapp.outside import Caller, OutsideError, Reply

DISCOVERY = "/.well-known/openid-configuration"
"""Behind the issuer: OpenID Connect Discovery 1.0, section 4."""
_KEPT_S = 300
_TIMEOUT_S = 5
_PATIENCE_S = 2
_LIMIT = 500_000
_METHODS = {ClientAuth.BASIC: "client_secret_basic", ClientAuth.POST: "client_secret_post"}
_LONGEST_ID_TOKEN_TO_KEEP = 3_000
"""It stands in the address with which a person is signed out there; servers take addresses of about 8,000 letters."""


@dataclass(frozen=True)
class Metadata:
    """What a provider offers, as far as it matters here.

    Attributes:
        authorization: where people sign in.
        token: where a code is exchanged for tokens.
        keys: where its keys are.
        userinfo: where more can be asked about a person; None: nowhere.
        end_session: where people sign out; None: nowhere.
        algorithms: with which it signs.
        names_itself: whether each answer says who gives it (RFC 9207).
    """

    authorization: str
    token: str
    keys: str
    userinfo: str | None
    end_session: str | None
    algorithms: frozenset[str]
    names_itself: bool


@dataclass(frozen=True)
class Began:
    """A sign-in that was begun: what the browser keeps until the provider answers."""

    address: str
    state: str
    nonce: str
    verifier: str


@dataclass(frozen=True)
class SignedIn:
    """Who signed in at the provider.

    Attributes:
        claims: what it says of the person, from the ID token and, where that says too little, from userinfo.
        id_token: as it came; None where it is too long to be given back.
    """

    claims: Claims
    id_token: str | None


class Provider:
    """Asks the provider. Safe to use from any thread; no more than `at_once` wait for it at a time."""

    def __init__(
        self, settings: OidcSettings, redirect_uri: str, caller: Caller, *, at_once: int = 4, kept_s: float = _KEPT_S
    ) -> None:
        """Get ready; nothing is asked yet.

        Args:
            settings: with an issuer.
            redirect_uri: where it sends people back to.
            caller: what asks.
            at_once: how many may wait for it, so that a provider that hangs does not hold every thread.
            kept_s: seconds for which what it offers is kept.
        """
        self._kept_s = kept_s
        self._settings, self._redirect_uri, self._caller = settings, redirect_uri, caller
        self._places = threading.BoundedSemaphore(at_once)
        self._kept: tuple[float, Metadata] | None = None

    @property
    def issuer(self) -> str:
        """Who it is."""
        return self._settings.issuer

    def metadata(self) -> Metadata:
        """What it offers now, or did some minutes ago.

        Raises:
            ProviderError: AWAY, BUSY or UNUSABLE.
        """
        kept = self._kept
        if kept is not None and time.monotonic() - kept[0] < self._kept_s:
            return kept[1]
        found = self._understood(self._json(self.issuer.rstrip("/") + DISCOVERY))
        self._kept = time.monotonic(), found
        return found

    def begin(self, *, anew: bool = False) -> Began:
        """Where to send a person who wants to sign in.

        Args:
            anew: whether the person is to say again who it is, also where the provider knows.

        Raises:
            ProviderError: as for `metadata`.
        """
        state, nonce, verifier = (_random() for _ in range(3))
        more = {"prompt": "login"} if anew else {}
        endpoint = self.metadata().authorization
        address, _ = self._client().create_authorization_url(
            endpoint, state=state, code_verifier=verifier, nonce=nonce, **more
        )
        return Began(address, state, nonce, verifier)

    def finish(self, code: str, *, nonce: str, verifier: str, needed: Iterable[str]) -> SignedIn:
        """Who it is that came back with a code.

        Args:
            code: of the answer.
            nonce: of the sign-in that was begun.
            verifier: the same.
            needed: the names of claims that matter; userinfo is asked where the ID token lacks one.

        Raises:
            ProviderError: the answer is not to be believed, or there is none.
        """
        metadata = self.metadata()
        tokens = self._redeem(metadata.token, code, verifier)
        id_token, access_token = tokens.get("id_token"), tokens.get("access_token")
        if not isinstance(id_token, str) or not id_token:  # Authlib takes that for a success
            raise ProviderError(Reason.UNTRUE, "there is no id_token in its reply: does it know the scope openid?")
        access_token = access_token if isinstance(access_token, str) else None
        claims = read_id_token(
            id_token,
            self._keys(),
            algorithms=metadata.algorithms,
            issuer=self.issuer,
            client_id=self._settings.client_id,
            nonce=nonce,
            access_token=access_token,
        )
        missing = [name for name in needed if not values_of(claims, name)]
        if missing and metadata.userinfo and access_token:
            claims = self._userinfo(metadata.userinfo, access_token, claims["sub"]) | claims
        return SignedIn(claims, id_token if len(id_token) <= _LONGEST_ID_TOKEN_TO_KEEP else None)

    def logged_out(self, logout_token: str) -> Claims:
        """Whose sign-ins end, as a logout token says that came from somewhere.

        Raises:
            ProviderError: it is not to be believed, or the provider's keys cannot be had.
        """
        algorithms = self.metadata().algorithms
        whom = {"issuer": self.issuer, "client_id": self._settings.client_id}
        return read_logout_token(logout_token, self._keys(), algorithms=algorithms, **whom)

    def sign_out_address(self, back: str, id_token: str | None) -> str | None:
        """Where a person signs out there (OpenID Connect RP-Initiated Logout 1.0); None where it offers that nowhere.

        Args:
            back: where it is to send the person then.
            id_token: of the sign-in; without it the provider may ask whether the person means it.

        Raises:
            ProviderError: as for `metadata`.
        """
        endpoint = self.metadata().end_session
        if endpoint is None:
            return None
        given = [("client_id", self._settings.client_id), ("post_logout_redirect_uri", back)]
        return str(add_params_to_uri(endpoint, given + ([("id_token_hint", id_token)] if id_token else [])))

    def number_of_keys(self) -> int:
        """How many keys it offers now.

        Raises:
            ProviderError: as for `metadata`.
        """
        return len(self._keys())

    def _redeem(self, endpoint: str, code: str, verifier: str) -> Mapping[str, Any]:
        try:
            tokens: Mapping[str, Any] = self._client().fetch_token(
                endpoint, grant_type="authorization_code", code=code, code_verifier=verifier
            )
            return tokens
        except OAuth2Error as error:
            reason = Reason.CODE if error.error == "invalid_grant" else Reason.UNUSABLE
            raise ProviderError(reason, quoted(f"{error.error} {error.description or ''}")) from None
        except (ValueError, TypeError, OverflowError) as error:
            raise ProviderError(Reason.UNUSABLE, quoted(error)) from None

    def _userinfo(self, endpoint: str, access_token: str, subject: str) -> Claims:
        said = self._json(endpoint, headers={"Authorization": f"Bearer {access_token}"})
        if said.get("sub") != subject:  # OpenID Connect Core 1.0, section 5.3.2
            raise ProviderError(Reason.UNTRUE, "userinfo tells of somebody else")
        return said

    def _keys(self) -> list[Mapping[str, Any]]:
        keys = self._json(self.metadata().keys).get("keys")
        if not isinstance(keys, list):
            raise ProviderError(Reason.UNUSABLE, "its keys are no JSON web keys")
        return [key for key in keys if isinstance(key, dict)]

    def _client(self) -> OAuth2Client:
        settings, secret = self._settings, self._settings.client_secret
        client = OAuth2Client(
            _TokenRequests(self),
            client_id=settings.client_id,
            client_secret=None if secret is None else secret.get_secret_value(),
            token_endpoint_auth_method="none" if secret is None else _METHODS[settings.client_auth],
            scope=settings.scopes,
            redirect_uri=self._redirect_uri,
            code_challenge_method="S256",
        )
        client.register_client_auth_method((_METHODS[ClientAuth.BASIC], _basic))
        return client

    def _understood(self, said: Claims) -> Metadata:
        if said.get("issuer") != self.issuer:
            raise ProviderError(
                Reason.UNUSABLE,
                f"it calls itself {quoted(said.get('issuer'))}; ATTENDANCE_OIDC_ISSUER must be the very same",
            )
        signs = said.get("id_token_signing_alg_values_supported")
        algorithms = (
            frozenset(filter(lambda one: isinstance(one, str), signs)) if isinstance(signs, list) else frozenset()
        )
        if not algorithms & ALGORITHMS:
            raise ProviderError(Reason.UNUSABLE, "it signs with no algorithm that is safe here, such as RS256")
        challenges = said.get("code_challenge_methods_supported")
        if isinstance(challenges, list) and "S256" not in challenges:
            raise ProviderError(Reason.UNUSABLE, "it does not take PKCE with S256")
        needed = (self._endpoint(said, f"{name}_endpoint") for name in ("authorization", "token"))
        authorization, token, keys = *needed, self._endpoint(said, "jwks_uri")
        if authorization is None or token is None or keys is None:
            raise ProviderError(
                Reason.UNUSABLE, "it does not say where people sign in, or where its tokens or keys are"
            )
        return Metadata(
            authorization=authorization,
            token=token,
            keys=keys,
            userinfo=self._endpoint(said, "userinfo_endpoint"),
            end_session=self._endpoint(said, "end_session_endpoint"),
            algorithms=algorithms & ALGORITHMS,
            names_itself=said.get("authorization_response_iss_parameter_supported") is True,
        )

    def _endpoint(self, said: Claims, name: str) -> str | None:
        """An address that it gives. By http only where it is by http itself, which is for its own networks alone."""
        address = said.get(name)
        schemes = ("https://",) if self.issuer.startswith("https://") else ("https://", "http://")
        if address is None:
            return None
        if not isinstance(address, str) or not address.startswith(schemes):
            raise ProviderError(Reason.UNUSABLE, f"{name} is {quoted(address)}, which is no address of https")
        return address

    def _json(self, address: str, *, headers: Mapping[str, str] | None = None) -> Claims:
        with self._asking(address):
            reply = self._caller.get(
                address, limit=_LIMIT, timeout=_TIMEOUT_S, headers={"Accept": "application/json", **(headers or {})}
            )
        if reply.status != 200:
            _refuse(address, reply)
        return _object(address, reply)

    def post(self, address: str, body: str, headers: Mapping[str, str]) -> Reply:
        """Send a form.

        Raises:
            ProviderError: AWAY, BUSY or UNUSABLE.
        """
        with self._asking(address):
            reply = self._caller.post(address, body=body.encode(), headers=headers, limit=_LIMIT, timeout=_TIMEOUT_S)
        if reply.status >= 500 or 300 <= reply.status < 400:
            _refuse(address, reply)
        return reply

    @contextmanager
    def _asking(self, address: str) -> Iterator[None]:
        if not self._places.acquire(timeout=_PATIENCE_S):
            raise ProviderError(Reason.BUSY)
        try:
            yield
        except OutsideError as error:
            raise ProviderError(Reason.AWAY, f"{address}: {error}") from None
        finally:
            self._places.release()


class _TokenRequests:
    """What Authlib needs of a session of HTTP, over the one way on which addresses outside are asked."""

    def __init__(self, provider: Provider) -> None:
        self._provider = provider

    def post(self, url: str, *, data: Mapping[str, str], headers: Mapping[str, str], auth: Any) -> "_TokenReply":
        """Send the token request, with the client's secret where it belongs."""
        address, sent, body = auth.prepare("POST", url, dict(headers), urlencode(data))
        return _TokenReply(address, self._provider.post(address, body, sent))


class _TokenReply:
    """What Authlib needs of an answer."""

    def __init__(self, address: str, reply: Reply) -> None:
        self._address, self._reply = address, reply
        self.status_code = reply.status

    def json(self) -> Claims:
        return _object(self._address, self._reply)

    def raise_for_status(self) -> None:
        if self.status_code >= 400:
            _refuse(self._address, self._reply)


def _basic(client: Any, _method: str, address: str, headers: dict[str, str], body: str) -> tuple[str, Any, str]:
    """RFC 6749, section 2.3.1: both are encoded as in a form first, which Authlib leaves out."""
    pair = ":".join(quote(text, safe="") for text in (client.client_id, client.client_secret))
    return address, {**headers, "Authorization": f"Basic {b64encode(pair.encode()).decode()}"}, body


def _object(address: str, reply: Reply) -> Claims:
    try:
        said = reply.json()
    except ValueError:
        said = None
    if not isinstance(said, dict):
        raise ProviderError(Reason.UNUSABLE, f"what {address} gives is no JSON object")
    return said


def _refuse(address: str, reply: Reply) -> NoReturn:
    reason = Reason.AWAY if reply.status >= 500 or reply.status == 429 else Reason.UNUSABLE
    raise ProviderError(reason, f"{address} answers with {reply.status}")


def _random() -> str:
    return secrets.token_urlsafe(32)
