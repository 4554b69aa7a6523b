"""Certificates before anything is installed: OpenSSL itself judges a chain and its key, in a handshake with itself."""

import ssl
from pathlib import Path

from deploy.installer.places import InstallError

_NO_CHECK_TIME = 0x200000
"""X509_V_FLAG_NO_CHECK_TIME of OpenSSL's x509_vfy.h; the module ssl has no name for it."""
_OWN_KEY = "the key does not fit, is encrypted, or one of both is no PEM"


def check_certificate(certificate: Path, key: Path, host: str) -> None:
    """Check that nginx can prove itself with these as this host, now.

    Raises:
        InstallError: a file cannot be read, the key does not fit, or the certificate is over, not yet valid, or not for
            this host.
    """
    fault = _fault(certificate, key, host)
    if fault is not None:
        raise InstallError(f"--certificate {certificate}, --key {key}: {fault}; nothing was changed")


def is_signed_by(certificate: Path, key: Path, authority: Path) -> bool:
    """Whether an authority signed a certificate, be it over or not; False where a file is missing or damaged."""
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client.check_hostname = False
    client.verify_flags |= _NO_CHECK_TIME
    try:
        server.load_cert_chain(certificate, key, password=lambda: "")
        client.load_verify_locations(authority)
        _shake_hands(server, client, None)
    except OSError:  # SSLError is one
        return False
    return True


def _fault(certificate: Path, key: Path, host: str) -> str | None:
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        server.load_cert_chain(certificate, key, password=lambda: "")
    except ssl.SSLError:
        return _OWN_KEY
    except OSError as error:
        return f"cannot be read ({error.strerror})"
    client = ssl.create_default_context()
    # Whether browsers know the authority is not asked here: a university's own is as good.
    client.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    try:
        client.load_verify_locations(certificate)
        _shake_hands(server, client, host)
    except ssl.SSLCertVerificationError as error:
        return str(error.verify_message)
    except ssl.SSLError as error:
        return error.reason or str(error)
    return None


def _shake_hands(server_context: ssl.SSLContext, client_context: ssl.SSLContext, host: str | None) -> None:
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = client_context.wrap_bio(to_client, to_server, server_hostname=host)
    server = server_context.wrap_bio(to_server, to_client, server_side=True)
    for _ in range(3):  # TLS 1.3 takes two turns, 1.2 three
        for side in (client, server):
            try:
                side.do_handshake()
            except ssl.SSLWantReadError:
                continue
