"""The gRPC server: limits, keepalive, TLS, the interceptor, and the standard health and reflection services."""

import grpc
from grpc_health.v1 import health_pb2_grpc
from grpc_health.v1.health import SERVICE_NAME as HEALTH
from grpc_health.v1.health import aio as health_aio
from grpc_reflection.v1alpha import reflection

from attendance.settings.listening import warn_of_plain_text
from attendance.settings.model import ServiceSettings
from protos.attendance.v1 import attendance_pb2_grpc as pb_grpc
from recognition_service.access.auth import SERVICE, AuthInterceptor
from recognition_service.access.certificates import server_credentials
from recognition_service.listening import ServerSetupError, allowed_connections, checked_address

_SLACK = 2
"""A message up to so many times the setting is still received, so that a frame over the setting is answered TOO_LARGE
and its stream goes on; gRPC ends the call of a larger one."""


def build_server(
    settings: ServiceSettings,
    servicer: pb_grpc.RecognitionServiceServicer,
    interceptor: AuthInterceptor,
    health: health_aio.HealthServicer,
) -> tuple[grpc.aio.Server, int]:
    """Make the server and bind its port; `start` is the caller's.

    Returns:
        The server, and the port it is bound to (the one chosen, where the settings say 0).

    Raises:
        ServerSetupError: the address is no address or in use, or the certificate or key cannot be used.
    """
    credentials = server_credentials(settings)
    checked_address(settings.listen, "ATTENDANCE_SERVICE_LISTEN")
    address = settings.listen
    server = grpc.aio.server(interceptors=[interceptor], options=_options(settings))
    pb_grpc.add_RecognitionServiceServicer_to_server(servicer, server)  # type: ignore[no-untyped-call]
    health_pb2_grpc.add_HealthServicer_to_server(health, server)
    reflection.enable_server_reflection((SERVICE, HEALTH, reflection.SERVICE_NAME), server)
    try:
        port = server.add_secure_port(address, credentials) if credentials else server.add_insecure_port(address)
    except RuntimeError:
        raise ServerSetupError(
            f"ATTENDANCE_SERVICE_LISTEN: cannot listen on {settings.listen}: another program may use the port, or the "
            "address is none of this machine's"
        ) from None
    if credentials is None:
        warn_of_plain_text(
            settings.listen,
            setting="ATTENDANCE_SERVICE_LISTEN",
            shows="tokens and frames",
            advice="set ATTENDANCE_SERVICE_TLS_CERTIFICATE and _KEY, or let only a proxy that speaks TLS reach it",
        )
    return server, port


def _options(settings: ServiceSettings) -> list[tuple[str, int]]:
    return [
        ("grpc.max_receive_message_length", settings.max_message_bytes * _SLACK),
        ("grpc.max_send_message_length", settings.max_message_bytes),
        # Of one connection: a camera needs one, a tool that shows many cameras some dozens.
        ("grpc.max_concurrent_streams", 100),
        ("grpc.max_allowed_incoming_connections", allowed_connections(settings.max_connections)),
        # Who connects and then says nothing, or speaks TLS a byte at a time, is cut off.
        ("grpc.server_handshake_timeout_ms", 10_000),
        ("grpc.max_metadata_size", 8_192),
        # A port in use is an error, not a second server that shares it.
        ("grpc.so_reuseport", 0),
        # A peer that does not answer a ping is gone: a cable pulled out ends its stream within 40 s.
        ("grpc.keepalive_time_ms", 30_000),
        ("grpc.keepalive_timeout_ms", 10_000),
        ("grpc.keepalive_permit_without_calls", 1),
        # Clients may ping this often without being told to calm down.
        ("grpc.http2.min_ping_interval_without_data_ms", 5_000),
        # A connection on which nothing is called holds a socket for so long at most.
        ("grpc.max_connection_idle_ms", 120_000),
    ]
