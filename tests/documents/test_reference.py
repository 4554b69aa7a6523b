"""Documents and code agree: what is made from the code is up to date, and what documents name is there.

datasette's `tests/test_docs.py` is the example: every setting, command and call is documented, or the test names it.
"""

import re
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from attendance.database.models.webhooks import EventKind
from docs.from_code.__main__ import ROOT, files, outdated
from docs.from_code.reference import calls, command_paths, setting_names

DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
PAGES = {path.relative_to(ROOT).as_posix(): path.read_text("utf-8") for path in DOCUMENTS}
TEXT = "\n".join(PAGES.values())
# Examples in recipes name what they are about to add.
SETTLED = {name: text for name, text in PAGES.items() if not name.startswith("docs/recipes/")}

SETTINGS = set(setting_names()) | {"ATTENDANCE_CONFIG"}
# Words of deploy/ and of programs that start ours; no settings.
OTHER_VARIABLES = {"ATTENDANCE_HOST"}


def test_pictures_and_lists_are_what_the_code_gives() -> None:
    assert outdated() == [], "run `make reference`"


def test_the_picture_of_the_rooms_shows_every_room_of_the_import_rules(tmp_path: Path) -> None:
    drawn = files()["docs/pictures/rooms.svg"]
    rooms = ["operations", "accuracy", "camera_client", "recognition_service", "index_builder", "webapp", "protos"]
    for room in [*rooms, "database", "settings", "tables", "gallery", "face_engine"]:
        assert f">{room}/</text>" in drawn, room


def test_every_setting_is_documented() -> None:
    assert {name for name in SETTINGS if name not in TEXT} == set()


def test_every_command_is_documented() -> None:
    assert {path for path, command in command_paths() if f"{path}" not in TEXT} == set()


def test_every_call_of_the_contract_is_documented() -> None:
    described = calls(ROOT)
    assert {"StreamFrames", "GetStatus"} <= described.keys()
    assert {name for name in described if f"`{name}`" not in TEXT} == set()


@pytest.mark.parametrize("page", SETTLED)
def test_every_setting_that_a_document_names_exists(page: str) -> None:
    named = set(re.findall(r"\bATTENDANCE_[A-Z0-9_]*[A-Z0-9]\b(?!_?\*|\.\.\.)", PAGES[page])) - OTHER_VARIABLES
    unknown = {name for name in named if name not in SETTINGS and not any(s.startswith(f"{name}_") for s in SETTINGS)}
    assert unknown == set()


@pytest.mark.parametrize("page", SETTLED)
def test_every_key_that_a_document_names_exists(page: str) -> None:
    """`section.key` in code, as `matching.threshold`."""
    sections = {name.split("_")[1].lower() for name in setting_names()}
    for section, key in re.findall(r"`([a-z]+)\.([a-z_]+)`", PAGES[page]):
        if f"{section}.{key}" in set(EventKind):  # what webhooks tell of has names of the same form
            continue
        if section in sections and key not in ("toml", "md", "py", "pem", "key", "yaml", "db", "env"):
            assert f"ATTENDANCE_{section}_{key}".upper() in SETTINGS, f"{section}.{key}"


@pytest.mark.parametrize("page", SETTLED)
def test_every_command_that_a_document_names_exists(page: str) -> None:
    commands = dict(command_paths())
    for typed in _typed_commands(PAGES[page]):
        words = typed.split()
        path = words.pop(0)
        while words and f"{path} {words[0]}" in commands:
            path += f" {words.pop(0)}"
        command = commands[path]
        if isinstance(command, click.Group):
            assert not words or not re.match(r"[a-z]", words[0]), f"{typed}: no command {path} {words[0]}"
        known = {option for parameter in command.params for option in [*parameter.opts, *parameter.secondary_opts]}
        unknown = {word for word in words if re.match(r"--[a-z]", word)} - known - {"--help", "--version"}
        assert not unknown, f"`{path}` has no option {unknown} ({typed})"


def _typed_commands(text: str) -> Iterator[str]:
    """What is typed after `attendance` in code: in running text between backticks, and in blocks at a line's start."""
    joined = text.replace("\\\n", " ")
    inline = re.findall(r"`(?:sudo |\.venv/bin/)?(attendance(?: [^`]+)?)`", joined.replace("\n", " "))
    blocks = re.findall(r"^(?: {4})?(?:sudo |\.venv/bin/)?(attendance [a-z][^\n#]*)", joined, re.MULTILINE)
    for typed in [*inline, *blocks]:
        yield re.split(r"\s+(?:#|\||>|&&)|[;)]\s", typed)[0].rstrip()


def test_a_wrong_command_would_be_found() -> None:
    assert list(_typed_commands("Type `sudo attendance db\nupgrade` or\n\n    attendance serve --fast   # soon\n")) == [
        "attendance db upgrade",
        "attendance serve --fast",
    ]


@pytest.mark.parametrize("page", PAGES)
def test_every_make_target_that_a_document_names_exists(page: str) -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
    named = set(re.findall(r"(?:^|`)make ([a-z][a-z-]*)", PAGES[page], re.MULTILINE))
    assert named - targets == set()


@pytest.mark.parametrize("page", SETTLED)
def test_every_file_that_a_document_names_exists(page: str) -> None:
    """Paths in code that begin with a folder of the project."""
    tops = {path.name for path in ROOT.iterdir() if path.is_dir() and not path.name.startswith(".")}
    for path in re.findall(r"`([A-Za-z_]+/[A-Za-z0-9_./@-]*)`", PAGES[page]):
        elsewhere = path.startswith(("build/", "dist/", "tests/test_images/"))  # the last is in another's archive
        if path.split("/")[0] in tops and not elsewhere:
            assert (ROOT / path).exists(), path


@pytest.mark.parametrize("page", SETTLED)
def test_every_module_that_a_document_runs_exists(page: str) -> None:
    for module in re.findall(r"python -m ([a-z_]+(?:\.[a-z_]+)*)", PAGES[page]):
        path = ROOT / module.replace(".", "/")
        if module.split(".")[0] in ("pytest", "pip"):
            continue
        assert path.with_suffix(".py").exists() or (path / "__main__.py").exists(), module


def test_no_document_names_what_is_not_the_products() -> None:
    for name, text in PAGES.items():
        for word in ("as delivered", "attendance_cli"):
            assert word not in text, f"{name} says {word!r}"


_OF_OTHERS = r"initiate login URL|third-party login|`teacher`"
"""Labels on a learning platform's page, and words of standards."""
# Words of which the glossary says another, and that mean nothing else here.
_FOREIGN = ("login", "log in", "teacher", "lesson", "attendance list", "class list", "matriculation number", "frontend")


def test_documents_and_pages_use_the_glossarys_words() -> None:
    glossary = PAGES["docs/glossary.md"]
    # Addresses, and what somebody else calls things, are no words of ours: login.microsoftonline.com, `/lti/login`.
    settled = {name: re.sub(r"https://\S+|`/[^`]*`", " ", text) for name, text in SETTLED.items()}
    settled = {name: re.sub(_OF_OTHERS, " ", text, flags=re.IGNORECASE) for name, text in settled.items()}
    shown = {name: text for name, text in settled.items() if name != "docs/glossary.md"}
    for template in (ROOT / "webapp" / "templates").rglob("*.html"):
        shown[template.name] = re.sub(r"{[{%#].*?[}%#]}|<[^>]*>", " ", template.read_text("utf-8"))
    for word in _FOREIGN:
        assert re.search(rf"\|[^|\n]*\b{word}\b[^|\n]*\|$", glossary, re.MULTILINE), f"{word}: not in the glossary"
        using = [name for name, text in shown.items() if re.search(rf"(?<![-\w]){word}s?\b", text, re.IGNORECASE)]
        assert using == [], f"{using} say {word!r}: see docs/glossary.md"
