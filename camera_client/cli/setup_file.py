"""What the standalone camera asks at its first start, and the file in which it keeps the answers."""

import json
import os
from collections.abc import Callable
from pathlib import Path

import click

from attendance.errors import AttendanceError
from camera_client.connection import ConnectError, Connection, Token
from camera_client.frames import SourceError
from camera_client.sources import kind_of

_FILE = "camera.toml"
_PRIVATE = 0o600


class SetupError(AttendanceError):
    """The answers cannot be kept or used; the message is one sentence for a person."""


def default_file() -> Path:
    """Where this account keeps the answers: the folder of settings that its operating system has for programs."""
    return Path(click.get_app_dir("attendance-camera")) / _FILE


def ask() -> dict[str, str | bool]:
    """Ask for what the section "camera" of the settings needs, each answer checked before the next question.

    Raises:
        SetupError: the answers cannot be used together.
    """
    click.echo("This camera is not set up yet. An administrator has registered it and was shown its token.\n")
    answers: dict[str, str | bool] = {
        "server": click.prompt(
            "Address of the recognition service, with its port (e.g. attendance.example.edu:50051)",
            value_proc=_checked(lambda text: Connection(text, token=Token.of_value("x"), allow_plaintext=True)),
        ),
        "name": click.prompt("Name of this camera, as it was registered", value_proc=_filled),
        "token": click.prompt(
            "Token of this camera (it is not shown)",
            hide_input=True,
            value_proc=_checked(lambda text: Token.of_value(text).check()),
        ),
        "source": click.prompt(
            "What to film: a webcam's number, an rtsp:// address, a video file or a folder of pictures",
            default="0",
            value_proc=_checked(kind_of),
        ),
    }
    return answers | _encryption(str(answers["server"]), str(answers["token"]))


def _encryption(server: str, token: str) -> dict[str, str | bool]:
    """Ask how the service proves who it is."""
    authority = click.prompt(
        "File with the certificate authority of the service (empty: the connection is not encrypted)",
        default="",
        show_default=False,
    ).strip()
    if authority:
        path = Path(authority).expanduser().absolute()
        try:
            path.read_bytes()
        except OSError as error:
            raise SetupError(f"cannot read {path}: {error.strerror}") from None
        return {"tls_ca": str(path)}
    try:
        Connection(server, token=Token.of_value(token))
    except ConnectError:
        question = "Everybody in the network could then read the token and see the pictures. Go on?"
        if not click.confirm(question, default=False):
            raise SetupError("not set up: ask the administrator for the file of the certificate authority") from None
        return {"allow_plaintext": True}
    return {}


def _filled(text: str) -> str:
    if not text.strip():
        raise click.UsageError("it must not be empty")
    return text.strip()


def _checked(check: Callable[[str], object]) -> Callable[[str], str]:
    def proc(text: str) -> str:
        text = _filled(text)
        try:
            check(text)
        except (ConnectError, SourceError) as error:
            raise click.UsageError(str(error)) from None
        return text

    return proc


def write_setup(file: Path, answers: dict[str, str | bool]) -> None:
    """Keep the answers as a file of settings for this account only; it appears whole or not at all.

    Raises:
        SetupError: it cannot be written.
    """
    # A TOML basic string and a JSON string of ASCII are the same: https://toml.io/en/v1.0.0#string
    lines = [f"{key} = {json.dumps(value)}" for key, value in answers.items()]
    unfinished = file.with_name(f".{file.name}.new")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        unfinished.unlink(missing_ok=True)
        handle = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _PRIVATE)
        with os.fdopen(handle, "w", encoding="utf-8") as out:
            out.write("[camera]\n" + "\n".join(lines) + "\n")
        unfinished.replace(file)
    except OSError as error:
        raise SetupError(f"cannot write {file}: {error.strerror}") from None
