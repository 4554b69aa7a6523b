import hashlib
import json
import os
import signal
import stat
import subprocess
import sys
import textwrap
import threading
from pathlib import Path

import faiss
import numpy as np
import pytest

from attendance.gallery.files import locked
from attendance.gallery.format import (
    KEPT_VERSIONS,
    GalleryError,
    Manifest,
    current_version,
    delete_older_versions,
    load_gallery,
    publish,
    read_manifest,
)
from attendance.gallery.gallery import Candidate
from attendance.settings.families import traits_of

RANDOM = np.random.default_rng(3)
PEOPLE = {"1001": RANDOM.normal(size=(2, 8)), "1002": RANDOM.normal(size=(1, 8))}


def publish_people(folder: Path, *more: str) -> Manifest:
    people = {**PEOPLE, **{name: RANDOM.normal(size=(1, 8)) for name in more}}
    return publish(folder, people, model="m", traits=traits_of("m"), encoding_size=8)[0]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "index"


def test_published_and_loaded(folder: Path) -> None:
    assert current_version(folder) is None
    assert read_manifest(folder) is None
    manifest = publish_people(folder)
    assert current_version(folder) == manifest.version
    assert read_manifest(folder) == manifest
    gallery = load_gallery(folder, model="m")
    assert (gallery.version, gallery.model, gallery.encoding_size) == (manifest.version, "m", 8)
    assert gallery.identities == ("1001", "1002")
    assert gallery.encodings == manifest.encodings == 3
    for student, rows in PEOPLE.items():
        for candidates in gallery.nearest(rows.astype(np.float32)):
            assert candidates[0].student == student
            assert candidates[0].distance == 0


def test_nobody_can_be_published(folder: Path) -> None:
    publish(folder, {}, model="m", traits=traits_of("m"), encoding_size=8)
    assert load_gallery(folder).nearest(np.zeros((1, 8), np.float32)) == [[]]


def test_nothing_published_says_what_to_do(folder: Path) -> None:
    with pytest.raises(GalleryError, match=r"no index in .*run `attendance index build`"):
        load_gallery(folder)


def test_the_last_three_are_kept(folder: Path) -> None:
    versions = [publish_people(folder).version for _ in range(6)]
    assert versions == sorted(versions)
    assert len(set(versions)) == 6
    assert sorted(path.name for path in (folder / "versions").iterdir()) == versions[-KEPT_VERSIONS:]
    assert load_gallery(folder).version == versions[-1]


def test_older_versions_are_deleted_on_demand(folder: Path) -> None:
    assert delete_older_versions(folder) == []
    versions = [publish_people(folder).version for _ in range(3)]
    held = load_gallery(folder)
    (folder / ".unfinished").mkdir()
    (folder / ".unfinished" / "encodings.npy").write_bytes(b"encodings")
    assert delete_older_versions(folder) == versions[:2]
    assert [path.name for path in (folder / "versions").iterdir()] == versions[2:]
    assert not (folder / ".unfinished").exists()
    assert load_gallery(folder).version == versions[2]
    assert delete_older_versions(folder) == []
    publish(folder, {"1002": PEOPLE["1002"]}, model="m", traits=traits_of("m"), encoding_size=8)
    assert delete_older_versions(folder) == versions[2:]
    assert held.nearest(PEOPLE["1001"].astype(np.float32))[0][0].student == "1001", "who holds it goes on with it"


def test_nothing_is_deleted_when_it_is_not_known_what_to_keep(folder: Path) -> None:
    versions = [publish_people(folder).version for _ in range(2)]
    (folder / "CURRENT").write_text("?")
    with pytest.raises(GalleryError, match="CURRENT is damaged"):
        delete_older_versions(folder)
    assert sorted(path.name for path in (folder / "versions").iterdir()) == versions


def test_deletion_waits_for_a_builder(folder: Path) -> None:
    versions = [publish_people(folder).version for _ in range(2)]
    with locked(folder / ".lock"):
        thread = threading.Thread(target=delete_older_versions, args=(folder,))
        thread.start()
        thread.join(0.2)
        assert sorted(path.name for path in (folder / "versions").iterdir()) == versions
    thread.join()
    assert [path.name for path in (folder / "versions").iterdir()] == versions[1:]


def test_nobody_else_may_read_it(folder: Path) -> None:
    old = os.umask(0)
    try:
        publish_people(folder)
    finally:
        os.umask(old)
    for path in (folder, *folder.rglob("*")):
        assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600), path


def test_another_model_is_named(folder: Path) -> None:
    version = publish_people(folder).version
    with pytest.raises(GalleryError, match=f"index {version} was made with the model m, but the engine uses other"):
        load_gallery(folder, model="other")


def parts(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file() and path.name != ".lock"]


def test_every_flipped_bit_is_noticed(folder: Path) -> None:
    publish_people(folder)
    assert sorted(path.name for path in parts(folder)) == ["CURRENT", "encodings.npy", "labels.json", "manifest.json"]
    for path in parts(folder):
        whole = path.read_bytes()
        for place in range(len(whole)):
            damaged = bytearray(whole)
            damaged[place] ^= 1 << place % 8
            path.write_bytes(damaged)
            with pytest.raises(
                GalleryError, match=path.name if path.name != "CURRENT" else "CURRENT is damaged|manifest.json is"
            ):
                load_gallery(folder)
        path.write_bytes(whole)
    assert load_gallery(folder).encodings == 3


@pytest.mark.parametrize("name", ["encodings.npy", "labels.json", "manifest.json"])
def test_missing_and_cut_files_are_named(folder: Path, name: str) -> None:
    version = publish_people(folder).version
    path = folder / "versions" / version / name
    whole = path.read_bytes()
    for damaged in (whole[:-1], b"", whole + b"\n"):
        path.write_bytes(damaged)
        with pytest.raises(GalleryError, match=f"index {version}: {name} is damaged"):
            load_gallery(folder)
    path.unlink()
    with pytest.raises(GalleryError, match=f"index {version}: {name} is missing"):
        load_gallery(folder)
    path.mkdir()
    with pytest.raises(GalleryError, match=f"index {version}: cannot read {name}"):
        load_gallery(folder)
    publish_people(folder)
    assert load_gallery(folder).encodings == 3, "building again mends it"


@pytest.mark.parametrize("pointer", [b"", b"../../etc/passwd " + b"0" * 64 + b"\n", b"\xff\xfe", b"000001\n"])
def test_a_damaged_pointer_is_named(folder: Path, pointer: bytes) -> None:
    publish_people(folder)
    (folder / "CURRENT").write_bytes(pointer)
    with pytest.raises(GalleryError, match="CURRENT is damaged"):
        current_version(folder)
    publish_people(folder)
    assert load_gallery(folder).encodings == 3


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"format": 3}, "not an index of format 2 or older"),
        ({"more": 1}, "not a manifest"),
        ({"version": "000009-20260301T080000Z-00000000"}, "is that of 000009"),
    ],
)
def test_manifests_of_others_are_named(folder: Path, change: dict[str, object], words: str) -> None:
    version = publish_people(folder).version
    path = folder / "versions" / version / "manifest.json"
    data = json.dumps({**json.loads(path.read_bytes()), **change}).encode()
    path.write_bytes(data)
    (folder / "CURRENT").write_text(f"{version} {hashlib.sha256(data).hexdigest()}\n")
    with pytest.raises(GalleryError, match=words):
        load_gallery(folder)


def publish_in_format_1(folder: Path) -> str:
    """What versions before approximate indexes published."""
    version = "000001-20260301T080000Z-5f3a9c01"
    index = faiss.IndexFlatL2(8)
    index.add(np.concatenate(list(PEOPLE.values())).astype(np.float32))
    files = {
        "index.faiss": faiss.serialize_index(index).tobytes(),
        "labels.json": json.dumps([[name, len(rows)] for name, rows in PEOPLE.items()]).encode(),
    }
    manifest = {
        "version": version,
        "created_at": "2026-03-01T08:00:00.000+00:00",
        "model": "m",
        "encoding_size": 8,
        "identities": 2,
        "encodings": 3,
        "files": {name: hashlib.sha256(data).hexdigest() for name, data in files.items()},
        "format": 1,
    }
    files["manifest.json"] = json.dumps(manifest).encode()
    (folder / "versions" / version).mkdir(parents=True)
    for name, data in files.items():
        (folder / "versions" / version / name).write_bytes(data)
    (folder / "CURRENT").write_text(f"{version} {hashlib.sha256(files['manifest.json']).hexdigest()}\n")
    return version


def test_an_index_of_the_format_before_is_read_and_followed(folder: Path) -> None:
    version = publish_in_format_1(folder)
    gallery = load_gallery(folder, model="m")
    assert (gallery.version, gallery.identities, gallery.encodings) == (version, ("1001", "1002"), 3)
    for student, rows in PEOPLE.items():
        assert gallery.nearest(rows.astype(np.float32))[0][0] == Candidate(student, 0.0)
    manifest = read_manifest(folder)
    assert manifest is not None
    assert manifest.how_searched == "exact: every encoding is compared"
    path = folder / "versions" / version / "index.faiss"
    whole = path.read_bytes()
    path.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    with pytest.raises(GalleryError, match=r"index\.faiss is damaged"):
        load_gallery(folder)
    assert publish_people(folder).version > version
    assert delete_older_versions(folder) == [version]


def mapped(folder: Path) -> str:
    """The files of an index that this process has mapped into memory."""
    return "\n".join(line for line in Path("/proc/self/maps").read_text().splitlines() if str(folder) in line)


def test_a_deleted_version_stays_mapped_until_it_is_let_go(folder: Path) -> None:
    version = publish_people(folder).version
    gallery = load_gallery(folder)
    assert f"{version}/encodings.npy" in mapped(folder)
    publish_people(folder)
    assert delete_older_versions(folder) == [version]
    assert gallery.nearest(PEOPLE["1002"].astype(np.float32))[0][0].student == "1002"
    assert f"{version}/encodings.npy (deleted)" in mapped(folder)
    del gallery
    assert mapped(folder) == "", "nothing of a deleted index stays in memory"


def test_bad_encodings_leave_the_old_one(folder: Path) -> None:
    version = publish_people(folder).version
    with pytest.raises(GalleryError, match="of shape"):
        publish(folder, {"1001": np.zeros((1, 9))}, model="m", traits=traits_of("m"), encoding_size=8)
    with pytest.raises(GalleryError, match="not finite"):
        publish(folder, {"1001": np.full((1, 8), np.nan)}, model="m", traits=traits_of("m"), encoding_size=8)
    assert load_gallery(folder).version == version


def test_a_full_disk_leaves_the_old_one(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    version = publish_people(folder).version
    real = os.fsync
    for survives in range(6):
        left = survives

        def fill(handle: int) -> None:
            nonlocal left
            left -= 1
            if left < 0:
                raise OSError(28, "No space left on device")
            real(handle)

        monkeypatch.setattr(os, "fsync", fill)
        with pytest.raises(GalleryError, match=r"cannot publish an index in .*No space left"):
            publish_people(folder, "1003")
        monkeypatch.undo()
        assert load_gallery(folder).version == version
    assert publish_people(folder, "1003").identities == 3
    assert load_gallery(folder).identities == ("1001", "1002", "1003")


def test_a_place_where_no_index_can_be(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(GalleryError, match="cannot publish an index in"):
        publish_people(tmp_path / "file" / "index")


# Each round publishes an index of two students and then, in a process that kills itself before its n-th change to the
# disk, another of three.
KILLED_AT_EVERY_STEP = """
    import os, signal, sys
    from pathlib import Path
    import numpy as np
    from attendance.gallery.format import publish
    from attendance.settings.families import traits_of

    rows = np.random.default_rng(3).normal(size=(3, 8))
    old = {"1001": rows[:1], "1002": rows[1:2]}
    new = {**old, "1003": rows[2:]}
    changes = {"open", "os.rename", "os.remove", "os.rmdir", "os.mkdir", "os.chmod", "fcntl.flock"}
    step = 0
    while True:
        folder = Path(sys.argv[1]) / f"{step:03d}"
        for _ in range(3):
            publish(folder, old, model="m", traits=traits_of("m"), encoding_size=8)
        child = os.fork()
        if child == 0:
            left = step
            def watch(event, arguments):
                global left
                if event in changes:
                    left -= 1
                    if left < 0:
                        os.kill(os.getpid(), signal.SIGKILL)
            real = os.fsync
            def fsync(handle):
                watch("open", ())
                real(handle)
            os.fsync = fsync
            sys.addaudithook(watch)
            publish(folder, new, model="m", traits=traits_of("m"), encoding_size=8)
            os._exit(0)
        if not os.WIFSIGNALED(os.waitpid(child, 0)[1]):
            break
        step += 1
    print(step)
"""


def run(program: str, *arguments: object) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-W", "error", "-c", textwrap.dedent(program), *map(str, arguments)],
        stdout=subprocess.PIPE,
        text=True,
    )


def test_killed_at_any_step_the_old_one_or_the_new_one_is_there(tmp_path: Path) -> None:
    with run(KILLED_AT_EVERY_STEP, tmp_path) as process:
        assert process.stdout is not None
        steps = int(process.stdout.read())
    assert steps > 15
    seen = []
    for step in range(steps):
        folder = tmp_path / f"{step:03d}"
        seen.append(len(load_gallery(folder).identities))
        publish_people(folder, "1003", "1004")
        assert len(load_gallery(folder).identities) == 4
        assert not (folder / ".unfinished").exists()
        assert not (folder / ".CURRENT.new").exists()
        assert len(list((folder / "versions").iterdir())) <= KEPT_VERSIONS
    # The old one up to some step, the new one from there on.
    assert set(seen) == {2, 3}
    assert seen == sorted(seen)


PUBLISHES = """
    import sys
    from pathlib import Path
    import numpy as np
    from attendance.gallery.format import publish
    from attendance.settings.families import traits_of

    traits = traits_of("m")
    for number in range(int(sys.argv[2])):
        rows = np.random.default_rng(number).normal(size=(300, 128))
        people = {f"s{row}": rows[row:row + 1] for row in range(300)}
        print(publish(Path(sys.argv[1]), people, model="m", traits=traits, encoding_size=128)[0].version, flush=True)
"""


def test_a_builder_killed_from_outside_leaves_an_index(folder: Path) -> None:
    with run(PUBLISHES, folder, 100_000) as process:
        assert process.stdout is not None
        published = [process.stdout.readline().strip() for _ in range(5)]
        process.kill()
        assert process.wait() == -signal.SIGKILL
    gallery = load_gallery(folder)
    assert gallery.version >= published[-1]
    assert gallery.encodings == 300
    assert publish_people(folder).version > gallery.version


def test_two_builders_and_a_reader_at_once(folder: Path) -> None:
    publish_people(folder)
    done = threading.Event()
    loaded: list[str] = []
    problems: list[Exception] = []

    def read() -> None:
        while not done.is_set():
            try:
                loaded.append(load_gallery(folder).version)
            except GalleryError as error:
                problems.append(error)

    reader = threading.Thread(target=read)
    reader.start()
    with run(PUBLISHES, folder, 15) as one, run(PUBLISHES, folder, 15) as other:
        versions = [line for process in (one, other) for line in (process.communicate()[0] or "").split()]
    done.set()
    reader.join()
    assert len(versions) == len(set(versions)) == 30
    assert load_gallery(folder).version == max(versions)
    assert problems == []
    assert loaded == sorted(loaded)


def test_where_a_group_may_read_the_folder_it_reads_what_is_published_and_nothing_else(folder: Path) -> None:
    folder.mkdir(parents=True)
    folder.chmod(0o750)
    old = os.umask(0o077)  # as every program of ours sets it
    try:
        for _ in range(2):
            publish_people(folder)
    finally:
        os.umask(old)
    read = (folder / "CURRENT", folder / "versions", *(folder / "versions").rglob("*"))
    for path in read:
        assert stat.S_IMODE(path.stat().st_mode) == (0o750 if path.is_dir() else 0o640), path
    for path in set(folder.rglob("*")) - set(read):
        assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0, path
