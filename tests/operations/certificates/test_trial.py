"""A trial's certificates: renewed in their last week, with the keys and the authority's name that they had."""

import ssl
import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509

from operations.certificates.facts import facts_of_file
from operations.certificates.trial import CertificateError, is_trial, make_trial_authority, renew_trial

NOW = datetime.now(UTC)
HOST = ["attendance.example.edu"]


@pytest.fixture
def trial(tmp_path: Path) -> Path:
    folder = tmp_path / "tls"
    make_trial_authority(folder, HOST)
    return folder


def texts(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in folder.iterdir()}


def test_nothing_is_renewed_before_the_last_week(trial: Path) -> None:
    before = texts(trial)
    assert not renew_trial(trial, HOST, NOW + timedelta(days=22))
    assert texts(trial) == before


def test_in_the_last_week_and_after_it_all_are_and_keys_stay(trial: Path) -> None:
    before = texts(trial)
    assert renew_trial(trial, HOST, NOW + timedelta(days=24))
    after = texts(trial)
    assert {name for name in after if after[name] != before[name]} == {"ca.pem", "service.pem", "camera.pem"}
    assert stat.S_IMODE((trial / "service.key").stat().st_mode) == 0o600
    ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(trial / "service.pem", trial / "service.key")
    # Cameras that still have the authority's certificate of before take the new one of the service.
    old = x509.load_pem_x509_certificate(before["ca.pem"].encode())
    x509.load_pem_x509_certificate(after["service.pem"].encode()).verify_directly_issued_by(old)


def test_another_host_renews_at_once(trial: Path) -> None:
    assert renew_trial(trial, ["other.example.edu"], NOW)
    facts = facts_of_file(trial / "service.pem")
    assert facts.is_for("OTHER.example.edu")
    assert facts.is_for("127.0.0.1")
    assert not facts.is_for(HOST[0])


def test_a_certificate_of_ones_own_is_left_alone(trial: Path, tmp_path: Path) -> None:
    make_trial_authority(tmp_path / "own", HOST)
    (trial / "service.pem").write_text((tmp_path / "own" / "service.pem").read_text())
    before = texts(trial)
    assert not is_trial(trial)
    assert not renew_trial(trial, HOST, NOW + timedelta(days=60))
    assert texts(trial) == before


def test_a_damaged_file_is_named_and_nothing_is_written(trial: Path) -> None:
    (trial / "ca.key").write_text("no key")
    before = texts(trial)
    with pytest.raises(CertificateError, match=r"ca\.key is damaged"):
        renew_trial(trial, HOST, NOW + timedelta(days=60))
    assert texts(trial) == before


def test_a_star_stands_for_one_label(tmp_path: Path) -> None:
    make_trial_authority(tmp_path, ["*.example.edu"])
    facts = facts_of_file(tmp_path / "service.pem")
    assert facts.is_for("attendance.example.edu")
    assert not facts.is_for("a.attendance.example.edu")
    assert not facts.is_for("example.edu")
