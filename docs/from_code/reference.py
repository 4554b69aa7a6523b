"""The page of lists: settings, commands, calls of the contract, and who imports whom."""

import importlib.resources
import tempfile
from collections.abc import Iterator
from pathlib import Path

import click
from google.protobuf.descriptor_pb2 import FileDescriptorSet, SourceCodeInfo
from pydantic import SecretStr
from pydantic.fields import FieldInfo

from attendance.settings import Settings
from attendance.settings.families import BUILT_IN
from attendance.settings.load import PREFIX
from attendance.settings.section import Section, is_section
from docs.from_code.rooms import House, rooms_table
from operations.cli.main import attendance
from recognition_service.access.auth import RIGHTS, SERVICE

_SERVICE_PATH, _METHOD_PATH = 6, 2
"""Field numbers of `FileDescriptorProto.service` and `ServiceDescriptorProto.method` (descriptor.proto)."""

_PAGE = """\
<!-- Made by `make reference` from the code; do not edit. -->

# Reference: settings, commands, calls, rooms

Made from the code, so it is complete. The programs say the same themselves: `attendance config`,
`attendance COMMAND --help`.

## Settings

A setting comes from an environment variable or from the settings file: `ATTENDANCE_WEB_LISTEN` is `listen` under
`[web]`, and `ATTENDANCE_MATCHING_OPENCV_THRESHOLD` is `threshold` under `[matching.opencv]`. The variable wins. The
file is the one that `ATTENDANCE_CONFIG` names, else the first `attendance.toml` that is there: in the current folder,
in `~/.config/attendance` (or `$XDG_CONFIG_HOME/attendance`), in `/etc/attendance`. `attendance config` and
`attendance doctor` say which one counts. Relative paths in it are relative to its folder, and the data is beside it
unless it says where; those of variables and on the command line are relative to the current folder. A wrong value or
an unknown name is refused at start.

{settings}

## Commands

`--help` after a command lists its options.

{commands}

## Calls of the contract

The contract is `protos/attendance/v1/attendance.proto`. Every call carries `authorization: Bearer <token>`.

{calls}

## Which room imports which

`make check` refuses every other direction ([architecture.md](architecture.md)).

{rooms}
"""


def reference_page(house: House, root: Path) -> str:
    """The page as Markdown; `root` holds protos/."""
    return _PAGE.format(
        settings="\n\n".join(_settings()), commands=_commands(), calls=_calls(root), rooms=rooms_table(house)
    )


def setting_names() -> list[str]:
    """Every setting as its environment variable."""
    return [
        f"{PREFIX}{section}_{key}".replace(".", "_").upper() for section, fields in _sections() for key in fields[1]
    ]


def command_paths() -> Iterator[tuple[str, click.Command]]:
    """Every command that does something, as it is typed, and every group of them."""
    yield from _below("attendance", attendance)


def _sections() -> Iterator[tuple[str, tuple[str, dict[str, FieldInfo]]]]:
    for name, section in Settings.model_fields.items():
        yield from _with_inner(name, section)


def _with_inner(name: str, field: FieldInfo) -> Iterator[tuple[str, tuple[str, dict[str, FieldInfo]]]]:
    """A section without its own sections, and those after it: `matching`, then `matching.dlib`."""
    kind = field.annotation
    assert isinstance(kind, type)  # noqa: S101 - pydantic keeps the annotation of every field
    assert issubclass(kind, Section)  # noqa: S101 - sections hold settings and sections
    inner = {key: one for key, one in kind.model_fields.items() if is_section(one)}
    yield name, (kind.__doc__ or "", {key: one for key, one in kind.model_fields.items() if key not in inner})
    for key, one in inner.items():
        yield from _with_inner(f"{name}.{key}", one)


def _settings() -> Iterator[str]:
    for name, (meaning, fields) in _sections():
        rows = [f"### `[{name}]`", "", meaning, "", "| variable | default | meaning |", "| --- | --- | --- |"]
        for key, field in fields.items():
            variable = f"`{PREFIX}{name.replace('.', '_').upper()}_{key.upper()}`"
            default = _built_in(name, key) or _default(field)
            rows.append(f"| {variable} | {default} | {_cell(field.description or '')} |")
        yield "\n".join(rows)


def _built_in(section: str, key: str) -> str:
    """What a distance is that nobody sets; it stands in the table of the families."""
    numbers = next((BUILT_IN[family] for family in BUILT_IN if section == f"matching.{family}"), None)
    return "" if numbers is None else f"`{getattr(numbers, key):g}`"


def _default(field: FieldInfo) -> str:
    if field.default in (None, ()) or isinstance(field.default, SecretStr):
        return ""
    value = field.default
    return f"`{str(value).lower() if isinstance(value, bool) else value}`"


def _commands() -> str:
    rows = ["| command | does |", "| --- | --- |"]
    for path, command in command_paths():
        if not isinstance(command, click.Group):
            arguments = " ".join(
                parameter.make_metavar(click.Context(command))
                for parameter in command.params
                if isinstance(parameter, click.Argument)
            )
            first = (command.help or "").split("\n\n")[0]
            rows.append(f"| `{f'{path} {arguments}'.strip()}` | {_cell(' '.join(first.split()))} |")
    return "\n".join(rows)


def _below(path: str, command: click.Command) -> Iterator[tuple[str, click.Command]]:
    yield path, command
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            below = command.get_command(context, name)
            if below is not None:
                yield from _below(f"{path} {name}", below)


def _calls(root: Path) -> str:
    rows = ["| call | who may | does |", "| --- | --- | --- |"]
    for name, comment in calls(root).items():
        who = ", ".join(sorted(RIGHTS.get(f"/{SERVICE}/{name}", ())))
        rows.append(f"| `{name}` | {who} | {_cell(comment)} |")
    return "\n".join(rows)


def calls(root: Path) -> dict[str, str]:
    """The calls of the contract under `root` and the comment on each."""
    from grpc_tools import protoc  # noqa: PLC0415 - only developers have it

    contract = "protos/attendance/v1/attendance.proto"
    googles = importlib.resources.files("grpc_tools") / "_proto"
    with tempfile.TemporaryDirectory() as folder, importlib.resources.as_file(googles) as include:
        output = Path(folder) / "set.bin"
        arguments = [f"--proto_path={root}", f"--proto_path={include}", f"--descriptor_set_out={output}"]
        if protoc.main(["protoc", *arguments, "--include_source_info", contract]):
            raise click.ClickException("the contract does not compile (see above)")
        (file,) = FileDescriptorSet.FromString(output.read_bytes()).file
    comments = {tuple(place.path): place for place in file.source_code_info.location}
    found = {}
    for number, service in enumerate(file.service):
        for place, method in enumerate(service.method):
            path = (_SERVICE_PATH, number, _METHOD_PATH, place)
            comment = comments.get(path, SourceCodeInfo.Location()).leading_comments
            found[method.name] = " ".join(comment.split())
    return found


def _cell(words: str) -> str:
    """Words as they may stand in a cell: a bar would end it, and what looks like markup is meant as it stands."""
    return words.replace("|", "\\|").replace("<", "&lt;").replace("*", "\\*")
