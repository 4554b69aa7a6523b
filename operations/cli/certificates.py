"""`attendance tls`."""

from pathlib import Path

import click

from operations.trial_certificates import make_trial_authority


@click.group()
def tls() -> None:
    """Certificates for trials."""


@tls.command("make-test-ca")
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
@click.option(
    "--host", "hosts", multiple=True, help="Name or IP address of the service, besides localhost; repeatable."
)
def make_test_ca(folder: Path, hosts: tuple[str, ...]) -> None:
    """Make an authority in FOLDER, and certificates of the service and of cameras that it signed.

    For trials only: the authority's key lies unencrypted beside them. All are good for thirty days.
    """
    make_trial_authority(folder, ["localhost", "127.0.0.1", "::1", *hosts])
    click.echo(
        f"Made certificates in {folder}, good for 30 days. For the service set\n"
        f"  ATTENDANCE_SERVICE_TLS_CERTIFICATE={folder / 'service.pem'}\n"
        f"  ATTENDANCE_SERVICE_TLS_KEY={folder / 'service.key'}\n"
        "to admit only clients with a certificate of this authority also\n"
        f"  ATTENDANCE_SERVICE_TLS_CLIENT_CA={folder / 'ca.pem'}\n"
        "and for cameras\n"
        f"  ATTENDANCE_CAMERA_TLS_CA={folder / 'ca.pem'}"
    )
