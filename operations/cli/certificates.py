"""`attendance tls`."""

import sys
from datetime import UTC, datetime
from pathlib import Path

import click

from operations.certificates.deployed import deployed_here
from operations.certificates.trial import CertificateError, make_trial_authority, renew_trial
from operations.cli.upkeep import tell
from operations.doctor.certificates import examine_deployed
from operations.doctor.findings import Verdict


@click.group()
def tls() -> None:
    """Certificates: of a trial, and the one that is deployed."""


@tls.command("make-test-ca")
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
@click.option(
    "--host", "hosts", multiple=True, help="Name or IP address of the service, besides localhost; repeatable."
)
def make_test_ca(folder: Path, hosts: tuple[str, ...]) -> None:
    """Make an authority in FOLDER, and certificates of the service and of cameras that it signed.

    For trials only: the authority's key lies unencrypted beside them. All are good for thirty days.
    """
    make_trial_authority(folder, hosts)
    click.echo(
        f"Made certificates in {folder}, good for 30 days. For the service set\n"
        f"  ATTENDANCE_SERVICE_TLS_CERTIFICATE={folder / 'service.pem'}\n"
        f"  ATTENDANCE_SERVICE_TLS_KEY={folder / 'service.key'}\n"
        "to admit only clients with a certificate of this authority also\n"
        f"  ATTENDANCE_SERVICE_TLS_CLIENT_CA={folder / 'ca.pem'}\n"
        "and for cameras\n"
        f"  ATTENDANCE_CAMERA_TLS_CA={folder / 'ca.pem'}"
    )


@tls.command("renew-trial")
@click.argument("folder", type=click.Path(file_okay=False, exists=True, path_type=Path))
@click.option("--host", "hosts", multiple=True, help="As for make-test-ca; other hosts than before renew at once.")
def renew_trial_certificates(folder: Path, hosts: tuple[str, ...]) -> None:
    """Renew the certificates that make-test-ca made in FOLDER, in their last week; `deploy/install` does it by itself.

    Keys stay. Cameras go on with the ca.pem that they have until it ends; give them the new one before.
    """
    if renew_trial(folder, hosts, datetime.now(UTC)):
        click.echo(f"Renewed the trial's certificates in {folder}, good for 30 days; cameras need its new ca.pem")
    else:
        click.echo("Nothing to renew.")


@tls.command("examine")
@click.option("--on-disk", is_flag=True, help="Do not ask nginx which it uses.")
def examine_certificate(on_disk: bool) -> None:
    """Examine the certificate that `deploy/install` gave nginx: as `doctor` does; as root, its key too.

    The exit status is 1 if there is a problem.
    """
    deployed = deployed_here()
    if deployed is None:
        raise CertificateError("deploy/install has put no certificate here; `attendance doctor` looks at others")
    found = examine_deployed(deployed, ask=not on_disk)
    for finding in found:
        tell(finding)
    sys.exit(1 if any(finding.verdict is Verdict.PROBLEM for finding in found) else 0)
