"""What a certificate says of itself: for which hosts, from when, until when."""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes

from operations.certificates.trial import CertificateError


@dataclass(frozen=True, slots=True)
class Facts:
    """Of one certificate.

    Attributes:
        names: hosts and addresses, lower case; a host may begin with "*.".
        begins: aware.
        ends: aware.
        fingerprint: SHA-256 of its bytes, which tells it from every other.
    """

    names: tuple[str, ...]
    begins: datetime
    ends: datetime
    fingerprint: bytes

    def is_for(self, host: str) -> bool:
        """Whether a browser that was sent to this host takes it: RFC 9525, a star stands for one whole label."""
        host = host.lower()
        return host in self.names or f"*.{host.partition('.')[2]}" in self.names


def facts_of_file(path: Path) -> Facts:
    """Of the first certificate of a PEM chain.

    Raises:
        CertificateError: the file cannot be read or holds none.
    """
    try:
        return _facts(x509.load_pem_x509_certificates(path.read_bytes())[0])
    except OSError as error:
        raise CertificateError(f"cannot read {path}: {error.strerror}") from None
    except ValueError:
        raise CertificateError(f"{path} is damaged: it holds no PEM certificate") from None


def facts_of_bytes(certificate: bytes) -> Facts:
    """Of a certificate as it comes over the network (DER)."""
    return _facts(x509.load_der_x509_certificate(certificate))


def _facts(certificate: x509.Certificate) -> Facts:
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        names = x509.SubjectAlternativeName([])
    hosts = [name.lower() for name in names.get_values_for_type(x509.DNSName)]
    addresses = [str(address) for address in names.get_values_for_type(x509.IPAddress)]
    return Facts(
        (*hosts, *addresses),
        certificate.not_valid_before_utc,
        certificate.not_valid_after_utc,
        certificate.fingerprint(hashes.SHA256()),
    )
