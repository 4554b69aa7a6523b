"""A certificate authority for trials: its certificate, the service's and one for cameras, all with their keys.

The package trustme makes such certificates for tests. It does not serve here: each of its certificates is good for
clients and for servers, and its authority for centuries, with its key beside it.
"""

import ipaddress
import os
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from attendance.errors import AttendanceError

_LIFETIME = timedelta(days=30)
_CLOCKS = timedelta(hours=1)
"""Clocks of cameras may be behind."""


class CertificateError(AttendanceError):
    """The certificates cannot be made; the message says why."""


def make_trial_authority(folder: Path, hosts: Sequence[str]) -> None:
    """Write ca.pem, service.pem, camera.pem and their keys, good for thirty days.

    Args:
        folder: made if absent; must hold none of these files.
        hosts: names and IP addresses by which cameras reach the service.

    Raises:
        CertificateError: one of the files is there, or a host is no name; nothing is written then.
        OSError: the folder cannot be written.
    """
    names = x509.SubjectAlternativeName([_host(host) for host in hosts])
    for path in folder.glob("*"):
        if path.stem in ("ca", "service", "camera") and path.suffix in (".key", ".pem"):
            raise CertificateError(f"{path} is there already; choose another folder")
    folder.mkdir(parents=True, exist_ok=True)
    key = ec.generate_private_key(ec.SECP256R1())
    name = _name("Class attendance trial authority")
    authority = (
        _draft(name, name, key)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(signs_certificates=True), critical=True)
        .sign(key, hashes.SHA256())
    )
    _write(folder, "ca", authority, key)
    for file, usage in (("service", ExtendedKeyUsageOID.SERVER_AUTH), ("camera", ExtendedKeyUsageOID.CLIENT_AUTH)):
        own_key = ec.generate_private_key(ec.SECP256R1())
        draft = (
            _draft(_name(f"class-attendance {file}"), name, own_key)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_usage(signs_certificates=False), critical=True)
            .add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(key.public_key()), critical=False)
        )
        if file == "service":
            draft = draft.add_extension(names, critical=False)
        _write(folder, file, draft.sign(key, hashes.SHA256()), own_key)


def _draft(subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _CLOCKS)
        .not_valid_after(now + _LIFETIME)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _host(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        pass
    try:
        return x509.DNSName(host)
    except ValueError as error:
        raise CertificateError(f"--host: {host!r} is no name of a host: {error}") from None


def _write(folder: Path, file: str, certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey) -> None:
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    # Others must not read a key, not even between its making and a change of its mode.
    descriptor = os.open(folder / f"{file}.key", os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as opened:
        opened.write(private)
    with (folder / f"{file}.pem").open("xb") as opened:
        opened.write(certificate.public_bytes(serialization.Encoding.PEM))
