"""Getting into a Ray cluster, and refusing one that is open to everybody or speaks where others can listen."""

import os
import socket
import ssl
from collections.abc import Collection
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from attendance.parts import how_to_install
from operations.runners.interface import RunnerError

_ON = ("1", "true")
_CLIENT = "ray://"
_FILES = ("RAY_TLS_SERVER_CERT", "RAY_TLS_SERVER_KEY", "RAY_TLS_CA_CERT")
_ANSWER_S = 10.0
"""How long the cluster's port may take to say who it is."""
_HEADS_CALL = "/ray.rpc.NodeInfoGcsService/CheckAlive"
_CLIENT_SERVERS_CALL = "/ray.rpc.RayletDriver/ClusterInfo"
"""Calls that change nothing; Ray's own clients make them, with the token."""


class Away:
    """Says in our words that the cluster does not answer."""

    def __init__(self, address: str) -> None:
        self._address = address

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, ConnectionError):
            raise RunnerError(f"the cluster {self._address} does not answer any more: {error}") from None


def connected(address: str) -> Any:
    """Ray, connected.

    Raises:
        RunnerError: it is not installed here, or the cluster cannot be reached, is open to everybody or speaks without
            TLS over a network.
    """
    # Read when Ray is imported. Statistics name versions and machines to its makers.
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    if os.environ.setdefault("RAY_AUTH_MODE", "token") != "token":
        raise RunnerError(
            "RAY_AUTH_MODE is not token: whoever reaches a port of such a cluster runs code on it. Start every machine "
            "of the cluster, and this command, with RAY_AUTH_MODE=token and the cluster's RAY_AUTH_TOKEN_PATH"
        )
    require_tls(address)
    try:
        import ray  # noqa: PLC0415 - an extra
    except ModuleNotFoundError:
        raise RunnerError(f"{how_to_install('ray')}") from None
    _greet(address)
    _require_token(address)
    options: dict[str, Any] = {"log_to_driver": False, "logging_level": "ERROR"}
    host, _ = _host_and_port(address)
    if not address.startswith(_CLIENT) and _is_loopback(host):
        options["_node_ip_address"] = host  # else Ray takes this machine's address, and finds no node of that
    try:
        ray.init(address, **options)
    except ray.exceptions.RayError as error:
        raise RunnerError(f"the cluster {address} does not let us in: {_reason(error)}") from None
    except (ConnectionError, OSError, RuntimeError, ValueError) as error:
        raise RunnerError(f"the cluster {address} cannot be reached: {_reason(error)}") from None
    return ray


def _reason(error: Exception) -> str:
    """The first line; where that announces a server's traceback, with what the traceback ends in."""
    first, *rest = (str(error).strip() or type(error).__name__).splitlines()
    beyond = [line for line in rest if line and not line.startswith((" ", "Traceback"))]
    return f"{first} {beyond[0]}" if first.endswith(":") and beyond else first


def require_tls(address: str, machines: Collection[str] = ()) -> None:
    """Refuse a cluster that speaks without TLS over a network: encodings of faces go from one machine to the other.

    A cluster in which this program speaks TLS speaks nothing else: Ray has one setting for all, and no fallback.

    Args:
        address: "ray://HOST:PORT" or "HOST:PORT", by which it is reached; the token goes there.
        machines: their addresses, once they are known; one alone speaks to itself.

    Raises:
        RunnerError: it does.
    """
    there = {_host_and_port(address)[0]}
    if len(set(machines)) > 1:
        there.update(machines)
    if not all(_is_loopback(one) for one in there) and not _speaks_tls():
        raise RunnerError(
            f"the cluster {address} speaks without TLS, and encodings of faces would go over the network: start "
            "every machine, and this command, with RAY_USE_TLS=1 and certificates (docs/recordings.md)"
        )


def _greet(address: str) -> None:
    """See whether the cluster speaks as this program will, which Ray itself tries for minutes.

    Raises:
        RunnerError: there is nobody, it speaks TLS where this program does not or the other way round, or one of the
            two does not take the other's certificate.
    """
    host, port = _host_and_port(address)
    context = _context()
    context.set_alpn_protocols(["h2"])  # gRPC's servers take nothing else
    taken = True
    try:
        with (
            socket.create_connection((host, port), _ANSWER_S) as plain,
            context.wrap_socket(plain, server_hostname=host) as secured,
        ):
            speaks = True
            if _speaks_tls():
                taken = _is_heard(secured)
    except ssl.SSLCertVerificationError as error:
        raise RunnerError(
            f"the cluster {address} has a certificate that is not trusted here: {error.verify_message}"
        ) from None
    except (ssl.SSLError, ConnectionResetError, TimeoutError):
        speaks = False
    except (OSError, UnicodeError) as error:  # the latter of a host that can be none
        reason = getattr(error, "strerror", None) or error
        raise RunnerError(f"the cluster {address} cannot be reached: {reason}") from None
    if not taken:
        raise RunnerError(f"the cluster {address} does not take the certificate of this machine: it is another's")
    if speaks and not _speaks_tls():
        raise RunnerError(
            f"the cluster {address} speaks TLS: give this command, too, RAY_USE_TLS=1 and a certificate "
            f"({', '.join(_FILES)})"
        )
    if _speaks_tls() and not speaks:
        raise RunnerError(f"the cluster {address} speaks without TLS; start every machine of it with RAY_USE_TLS=1")


def _require_token(address: str) -> None:
    """Refuse a cluster that answers who shows no token: one started with RAY_AUTH_MODE=disabled takes ours, too.

    A machine started without a token joins no cluster whose head asks for one, so the head speaks for all of them.

    Raises:
        RunnerError: it does, or it cannot be told.
    """
    import grpc  # noqa: PLC0415 - only a cluster needs it

    host, port = _host_and_port(address)
    target = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    call, what = (
        (_CLIENT_SERVERS_CALL, "server of Ray's clients")
        if address.startswith(_CLIENT)
        else (_HEADS_CALL, "head of a Ray cluster")
    )
    options = (("grpc.enable_http_proxy", 0),)  # as Ray's own channels
    channel = (
        grpc.secure_channel(target, grpc.ssl_channel_credentials(*_certificates()), options)
        if _speaks_tls()
        else grpc.insecure_channel(target, options)
    )
    with channel:
        try:
            channel.unary_unary(call, request_serializer=bytes, response_deserializer=bytes)(b"", timeout=_ANSWER_S)
        except grpc.RpcError as error:
            code, details = error.code(), error.details()
        else:
            code, details = grpc.StatusCode.OK, ""
    if code is grpc.StatusCode.UNAUTHENTICATED:
        return
    if code in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED):
        raise RunnerError(f"the cluster {address} cannot be reached: {details}")
    if code is grpc.StatusCode.UNIMPLEMENTED:
        raise RunnerError(f"whoever answers at {address} is no {what} that this version knows: is it the right port?")
    raise RunnerError(
        f"the cluster {address} is open to everybody: it answers without a token, and whoever reaches a port of it "
        "runs code on it. Stop every machine of it, and start them with RAY_AUTH_MODE=token and the cluster's "
        "RAY_AUTH_TOKEN_PATH"
    )


def _certificates() -> tuple[bytes, bytes, bytes]:
    """Authority, key and certificate of this machine."""
    certificate, key, authority = (Path(os.environ[name]).read_bytes() for name in _FILES)
    return authority, key, certificate


def answers(address: str) -> bool:
    """Whether somebody still listens at the cluster's port. Ray waits a minute for it, and then ends the program."""
    try:
        with socket.create_connection(_host_and_port(address), _ANSWER_S):
            return True
    except OSError:
        return False


def _is_heard(secured: ssl.SSLSocket) -> bool:
    """Whether a server goes on after the handshake: with TLS 1.3 it refuses a certificate only then."""
    try:
        return secured.recv(1) != b""  # HTTP/2's servers speak first (RFC 9113, 3.4)
    except TimeoutError:
        return True
    except OSError:
        return False


def _context() -> ssl.SSLContext:
    """With the certificates of this machine; without TLS one that only sees whether somebody speaks it."""
    context = ssl.create_default_context()
    if not _speaks_tls():
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        return context
    missing = [name for name in _FILES if not os.environ.get(name)]
    if missing:
        raise RunnerError(f"RAY_USE_TLS is set, but {', '.join(missing)} is not")
    certificate, key, authority = (os.environ[name] for name in _FILES)
    try:
        context = ssl.create_default_context(cafile=authority)
        context.load_cert_chain(certificate, key)
    except OSError as error:  # also one of SSL: a file that holds something else
        raise RunnerError(f"the certificates of this machine cannot be used ({', '.join(_FILES)}): {error}") from None
    return context


def _speaks_tls() -> bool:
    return os.environ.get("RAY_USE_TLS", "0").lower() in _ON


def _host_and_port(address: str) -> tuple[str, int]:
    host, _, port = address.removeprefix(_CLIENT).rpartition(":")
    return host.strip("[]"), int(port)


def _is_loopback(address: str) -> bool:
    try:
        return ip_address(address).is_loopback
    except ValueError:
        return address == "localhost"
