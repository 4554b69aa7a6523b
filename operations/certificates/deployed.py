"""Where `deploy/install` put nginx's certificate, and what nginx shows to whoever connects."""

import json
import os
import re
import socket
import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from attendance.settings.files import settings_file
from operations.certificates.trial import CertificateError

_TIMEOUT_S = 5
_NO_ISSUER = frozenset({18, 19, 20, 21})
"""X509_V_ERR_: self-signed, alone or in the chain; the issuer is not found; the first signature cannot be checked."""


@dataclass(frozen=True, slots=True)
class Deployed:
    """Nginx before the programs of this machine.

    Attributes:
        host: by which browsers and cameras reach it.
        addresses: host and port of this machine where it listens with TLS.
        certificate: PEM chain.
        key: its key, which root reads.
    """

    host: str
    addresses: tuple[tuple[str, int], ...]
    certificate: Path
    key: Path

    @property
    def authorities(self) -> list[Path]:
        """What a trial's clients trust besides the system's list."""
        beside = self.certificate.with_name("ca.pem")
        return [beside] if beside.exists() else []


def deployed_here() -> Deployed | None:
    """As the installer left it beside the settings; None where it installed nothing.

    Raises:
        CertificateError: one of its files is damaged.
    """
    config = settings_file()
    folder = None if config is None else config.parent
    if folder is None or not (folder / "install.json").exists() or not (folder / "nginx-tls.conf").exists():
        return None
    try:
        answers = json.loads((folder / "install.json").read_text(encoding="utf-8"))
        host, ports = str(answers["host"]), [int(answers["https_port"]), int(answers["grpc_port"])]
    except (ValueError, KeyError, TypeError):
        raise CertificateError(f"{folder / 'install.json'} is damaged; run deploy/install with --host again") from None
    text = (folder / "nginx-tls.conf").read_text(encoding="utf-8")
    certificate, key = (_directive(text, name, folder) for name in ("ssl_certificate", "ssl_certificate_key"))
    return Deployed(host, tuple(("127.0.0.1", port) for port in ports), certificate, key)


def shown_at(address: tuple[str, int], host: str) -> bytes:
    """The certificate (DER) that is shown at an address to whoever asks for a host; it is not judged.

    Raises:
        OSError: nobody listens there, or does not speak TLS.
    """
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with (
        socket.create_connection(address, timeout=_TIMEOUT_S) as plain,
        context.wrap_socket(plain, server_hostname=host) as connection,
    ):
        return connection.getpeercert(binary_form=True) or b""


def is_known(address: tuple[str, int], host: str, authorities: Sequence[Path]) -> bool:
    """Whether the chain shown there ends at an authority of the system's list, or of the given files.

    Raises:
        OSError: nobody listens there, or does not speak TLS.
    """
    context = ssl.create_default_context()
    context.check_hostname = False
    for file in authorities:
        context.load_verify_locations(file)
    try:
        with (
            socket.create_connection(address, timeout=_TIMEOUT_S) as plain,
            context.wrap_socket(plain, server_hostname=host),
        ):
            return True
    except ssl.SSLCertVerificationError as error:
        return error.verify_code not in _NO_ISSUER  # dates are told by themselves


def key_fault(certificate: Path, key: Path) -> str | None:
    """Why a key is not the certificate's; None: it is, or this account may not read it."""
    if not os.access(key, os.R_OK):
        return None
    try:
        # An encrypted key gets no password, which nginx would not have either.
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(certificate, key, password=lambda: "")
    except (ssl.SSLError, OSError) as error:
        return getattr(error, "reason", None) or str(error)
    return None


def _directive(text: str, name: str, folder: Path) -> Path:
    found = re.search(rf"^\s*{name}\s+([^;\s]+)\s*;", text, re.MULTILINE)
    if found is None:
        raise CertificateError(f"{folder / 'nginx-tls.conf'} names no {name}; run deploy/install again")
    return Path(found[1])
