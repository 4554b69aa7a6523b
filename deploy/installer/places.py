"""Where an installation keeps what, under `/` or under a scratch root."""

import grp
import os
import pwd
import re
import shutil
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

SOURCE = Path(__file__).parents[2]
"""The checkout that the installer runs from."""
USER = "attendance"
"""The account of operators and of the gallery's worker."""
UNIT_USERS = tuple(f"{USER}-{unit}" for unit in ("serve", "web", "post", "backup", "purge"))
"""Those of the other units, one each: none reads what another keeps."""

# Paths that are named in units, site and settings, and lie under the root.
_OURS = re.compile(r"(?<![\w.])/(?=(?:opt|etc|var/lib|var/cache|var/log)/attendance\b|var/www/html\b|run/nginx\.pid\b)")
_LEFT_OVER = re.compile(r"@[A-Z_]+@")


class InstallError(Exception):
    """The installation cannot go on; the message says why and what to do."""


def give_tree(folder: Path, user: int, group: int) -> None:
    """Give a folder and all in it to a user and a group, by their numbers; links themselves, and not what they name.

    By open folders: what is swapped for a link meanwhile is not followed, as a path would.
    """
    for _, folders, files, here in os.fwalk(folder):
        os.fchown(here, user, group)
        for name in (*folders, *files):
            os.chown(name, user, group, dir_fd=here, follow_symlinks=False)


@dataclass
class Places:
    """The folders of one installation, and a record of what was changed in them.

    Attributes:
        root: `/`, or the folder of a trial, which then stands for it: files name paths under it, no user is made and
            nothing is started.
        changes: one line for each file that was written or removed.
        notes: what the operator should know, whether something was changed or not.
    """

    root: Path
    changes: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def real(self) -> bool:
        """Whether this is the machine's own installation."""
        return self.root == Path("/")

    def at(self, path: str) -> Path:
        """Where `/path` is."""
        return self.root / path.lstrip("/")

    def fill(self, template: str, **values: str) -> str:
        """A file of `deploy/` with `@NAME@` replaced, and its paths moved under the root.

        Raises:
            ValueError: a name of the template has no value.
        """
        text = (SOURCE / "deploy" / template).read_text(encoding="utf-8")
        if not self.real:
            text = _OURS.sub(f"{self.root}/", text)
        for name, value in values.items():
            text = text.replace(f"@{name}@", value)
        left = _LEFT_OVER.search(text)
        if left:
            raise ValueError(f"{template}: nothing is given for {left[0]}")
        return text

    def write(self, path: str, text: str, mode: int = 0o644) -> bool:
        """Write a file, unless it is there with this text and mode; whether it was written."""
        target = self.at(path)
        if target.is_file() and target.read_text(encoding="utf-8") == text and target.stat().st_mode & 0o777 == mode:
            return False
        target.parent.mkdir(parents=True, exist_ok=True)
        handle, draft = tempfile.mkstemp(dir=target.parent)  # 0600: a secret is never readable, not for a moment
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        Path(draft).chmod(mode)
        Path(draft).replace(target)
        self.changes.append(f"wrote {target}")
        return True

    def give(self, path: str, owner: str) -> None:
        """Give a folder and all in it to an account; nothing in a trial."""
        if self.real:
            give_tree(self.at(path).resolve(), pwd.getpwnam(owner).pw_uid, grp.getgrnam(owner).gr_gid)

    def link(self, path: str, to: Path) -> bool:
        """Make a symbolic link, in one step where another was; whether it was made."""
        target = self.at(path)
        if target.is_symlink() and target.readlink() == to:
            return False
        target.parent.mkdir(parents=True, exist_ok=True)
        draft = target.with_name(f"{target.name}.new")
        draft.unlink(missing_ok=True)
        draft.symlink_to(to)
        draft.replace(target)
        self.changes.append(f"linked {target} to {to}")
        return True

    def remove(self, path: str) -> None:
        """Remove a file, a link, or a folder with all in it; nothing happens when it is not there.

        Raises:
            InstallError: something in the folder cannot be removed.
        """
        target = self.at(path)
        if target.is_dir() and not target.is_symlink():
            shutil.rmtree(target, ignore_errors=True)  # where a disk is mounted an empty folder stays
            left = next((found for found in target.rglob("*") if found.is_symlink() or not found.is_dir()), None)
            if left is not None:
                raise InstallError(f"{left} cannot be removed: see what holds it, and run this again")
        elif target.exists() or target.is_symlink():
            target.unlink()
        else:
            return
        self.changes.append(f"{'emptied' if target.exists() else 'removed'} {target}")

    def folder(self, path: str, mode: int = 0o755, *, owner: str | None = None) -> None:
        """Make a folder; one of an account of the system's gets its mode, and itself and all in it their owner.

        Raises:
            InstallError: it is a link that one of our accounts made, which would give it the machine's own files.
        """
        target = self.at(path)
        if target.is_symlink() and target.lstat().st_uid not in {0, os.geteuid()}:
            raise InstallError(f"{target} is a link that root did not make: remove it, or make it again as root")
        if not target.is_dir():
            target.mkdir(parents=True)
            target.chmod(mode)
            self.changes.append(f"made {target}")
        if owner is None:
            return
        if target.stat().st_mode & 0o777 != mode:
            target.chmod(mode)
            self.changes.append(f"gave {target} the mode {mode:o}")
        if self.real and target.owner() != owner:
            self.give(path, owner)
            self.changes.append(f"gave {target} to {owner}")
