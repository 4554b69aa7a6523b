"""A certificate authority for trials: its certificate, the service's and one for cameras, all with their keys.

The package trustme makes such certificates for tests. It does not serve here: each of its certificates is good for
clients and for servers, and its authority for centuries, with its key beside it.
"""

import ipaddress
import os
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from attendance.errors import AttendanceError

_LIFETIME = timedelta(days=30)
RENEW_WITHIN = timedelta(days=7)
_FILES = ("ca", "service", "camera")
_LOOPBACK = ("localhost", "127.0.0.1", "::1")
_CLOCKS = timedelta(hours=1)
"""Clocks of cameras may be behind."""


class CertificateError(AttendanceError):
    """Certificates cannot be made or used; the message says which and why."""


def make_trial_authority(folder: Path, hosts: Sequence[str]) -> None:
    """Write ca.pem, service.pem, camera.pem and their keys, good for thirty days.

    Args:
        folder: made if absent; must hold none of these files.
        hosts: names and IP addresses by which cameras reach the service, besides localhost.

    Raises:
        CertificateError: one of the files is there, or a host is no name; nothing is written then.
        OSError: the folder cannot be written.
    """
    names = _names(hosts)
    for path in folder.glob("*"):
        if path.stem in _FILES and path.suffix in (".key", ".pem"):
            raise CertificateError(f"{path} is there already; choose another folder")
    folder.mkdir(parents=True, exist_ok=True)
    keys = {file: ec.generate_private_key(ec.SECP256R1()) for file in _FILES}
    for file, key in keys.items():
        _write_key(folder / f"{file}.key", key)
    _sign_all(folder, keys, names)


def renew_trial(folder: Path, hosts: Sequence[str], now: datetime) -> bool:
    """Make a trial's certificates good for thirty more days in their last week, or for other hosts; keys stay.

    The authority keeps its name and key, so that cameras with its certificate of before go on until that one ends.

    Args:
        folder: as `make_trial_authority` made it.
        hosts: as there.
        now: aware.

    Returns:
        Whether they were renewed; not where the folder's service.pem is none of a trial.

    Raises:
        CertificateError: a file of it cannot be used, or a host is no name; nothing is written then.
    """
    if not is_trial(folder):
        return False
    names = _names(hosts)
    service = _read(folder / "service.pem")
    named = service.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    if not ends_soon(service, now) and not ends_soon(_read(folder / "ca.pem"), now) and named == names:
        return False
    _sign_all(folder, {file: _read_key(folder / f"{file}.key") for file in _FILES}, names)
    return True


def is_trial(folder: Path) -> bool:
    """Whether the folder's service.pem is of a trial's authority, whose key lies there.

    Raises:
        CertificateError: a file of it cannot be used.
    """
    if not all((folder / file).exists() for file in ("ca.pem", "ca.key", "service.pem")):
        return False
    try:
        _read(folder / "service.pem").verify_directly_issued_by(_read(folder / "ca.pem"))
    except (ValueError, TypeError, InvalidSignature):
        return False
    return True


def ends_soon(certificate: x509.Certificate, now: datetime) -> bool:
    """Whether a trial's certificate is in its last week, or over."""
    return certificate.not_valid_after_utc - now < RENEW_WITHIN


def _sign_all(folder: Path, keys: Mapping[str, ec.EllipticCurvePrivateKey], names: x509.SubjectAlternativeName) -> None:
    name, key = _name("Class attendance trial authority"), keys["ca"]
    authority = (
        _draft(name, name, key)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(signs_certificates=True), critical=True)
        .sign(key, hashes.SHA256())
    )
    _write(folder / "ca.pem", authority)
    for file, usage in (("service", ExtendedKeyUsageOID.SERVER_AUTH), ("camera", ExtendedKeyUsageOID.CLIENT_AUTH)):
        draft = (
            _draft(_name(f"class-attendance {file}"), name, keys[file])
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_usage(signs_certificates=False), critical=True)
            .add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(key.public_key()), critical=False)
        )
        if file == "service":
            draft = draft.add_extension(names, critical=False)
        _write(folder / f"{file}.pem", draft.sign(key, hashes.SHA256()))


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


def _names(hosts: Sequence[str]) -> x509.SubjectAlternativeName:
    return x509.SubjectAlternativeName([_host(host) for host in dict.fromkeys([*_LOOPBACK, *hosts])])


def _read(path: Path) -> x509.Certificate:
    try:
        return x509.load_pem_x509_certificate(path.read_bytes())
    except OSError as error:
        raise CertificateError(f"cannot read {path}: {error.strerror}") from None
    except ValueError:
        raise CertificateError(f"{path} is damaged: it holds no PEM certificate") from None


def _read_key(path: Path) -> ec.EllipticCurvePrivateKey:
    try:
        key = serialization.load_pem_private_key(path.read_bytes(), None)
    except (ValueError, TypeError):
        raise CertificateError(f"{path} is damaged: it holds no unencrypted PEM key") from None
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise CertificateError(f"{path} is no key that was made for a trial")
    return key


def _write_key(path: Path, key: ec.EllipticCurvePrivateKey) -> None:
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    # Others must not read a key, not even between its making and a change of its mode.
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as opened:
        opened.write(private)


def _write(path: Path, certificate: x509.Certificate) -> None:
    """In one step where another was: nginx may read it at this moment."""
    draft = path.with_name(f"{path.name}.new")
    draft.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    if path.exists():
        draft.chmod(path.stat().st_mode & 0o777)
    draft.replace(path)
