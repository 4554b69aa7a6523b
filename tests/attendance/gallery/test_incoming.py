"""Indexes from another machine: taken whole, gone on with, or refused by name with the old one in use."""

import hashlib
import json
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from attendance.gallery.format import current_version, load_gallery, publish
from attendance.gallery.incoming import IncomingIndex, IndexRefusedError
from attendance.gallery.manifest import Manifest
from attendance.gallery.offering import Chunk, Offer, chunks_of, offer_of
from attendance.gallery.versions import INCOMING, versions_with
from attendance.settings.families import traits_of

MODEL, SIZE = "dlib-resnet-v1", 128
Alter = Callable[[Iterable[Chunk]], Iterable[Chunk]]


def publish_there(folder: Path, *students: str, model: str = MODEL) -> str:
    rows = {student: np.full((2, SIZE), number / 10, np.float32) for number, student in enumerate(students)}
    return publish(folder, rows, model=model, traits=traits_of(model), encoding_size=SIZE)[0].version


def any_model(_: Manifest) -> str | None:
    return None


def transfer(there: Path, here: Path, *, alter: Alter = iter, offer: Offer | None = None) -> None:
    """What a service does: offer, chunks, end."""
    incoming = IncomingIndex(here)
    offer = offer or offer_of(there)
    assert offer is not None
    version, received = incoming.partial
    if incoming.begin(offer, usable=any_model):
        for chunk in alter(chunks_of(there, offer, received if version == offer.version else {}, chunk_bytes=300)):
            incoming.take(offer, chunk)
        incoming.finish(offer)


@pytest.fixture
def there(tmp_path: Path) -> Path:
    folder = tmp_path / "there"
    publish_there(folder, "s1", "s2")
    return folder


@pytest.fixture
def here(tmp_path: Path, there: Path) -> Path:
    """A machine that has the first version."""
    folder = tmp_path / "here"
    transfer(there, folder)
    return folder


def test_takes_every_version_and_keeps_none_of_before(there: Path, here: Path) -> None:
    assert load_gallery(here).identities == ("s1", "s2")
    publish_there(there, "s2", "s3")
    transfer(there, here)
    gallery = load_gallery(here, model=MODEL)
    assert gallery.identities == ("s2", "s3")
    np.testing.assert_array_equal(gallery.rows, load_gallery(there).rows)
    assert versions_with(here, "s1") == []
    assert {path.stat().st_mode & 0o777 for path in here.rglob("*") if path.is_file()} == {0o600}
    assert {path.stat().st_mode & 0o777 for path in here.rglob("*") if path.is_dir()} == {0o700}


def test_what_is_in_use_is_not_asked_for_again(there: Path, here: Path) -> None:
    offer = offer_of(there)
    assert offer is not None
    assert not IncomingIndex(here).begin(offer, usable=any_model)


def first(count: int) -> Alter:
    return lambda chunks: [chunk for number, chunk in enumerate(chunks) if number < count]


def test_goes_on_where_a_connection_broke(there: Path, here: Path) -> None:
    version = publish_there(there, "s1", "s2", "s3")
    with pytest.raises(IndexRefusedError, match=f"index {version} is cut short: encodings.npy has 900 of"):
        transfer(there, here, alter=first(3))
    assert versions_with(here, "s9") == [INCOMING], "who may be in what is half here counts as held"
    asked: list[tuple[str, int]] = []

    def note(chunks: Iterable[Chunk]) -> Iterable[Chunk]:
        for chunk in chunks:
            asked.append((chunk.file, chunk.offset))
            yield chunk

    transfer(there, here, alter=note)
    assert asked[0] == ("encodings.npy", 900)
    assert current_version(here) == version
    assert not (here / INCOMING).exists()


def test_begins_anew_when_another_version_is_offered(there: Path, here: Path) -> None:
    publish_there(there, "s1", "s2", "s3")
    with pytest.raises(IndexRefusedError):
        transfer(there, here, alter=first(3))
    publish_there(there, "s2")
    transfer(there, here)
    assert load_gallery(here).identities == ("s2",)


def test_what_a_crash_damaged_of_a_half_is_begun_anew(there: Path, here: Path) -> None:
    version = publish_there(there, "s1", "s2", "s3")
    with pytest.raises(IndexRefusedError):
        transfer(there, here, alter=first(3))
    part = here / INCOMING / "versions" / version / "encodings.npy"
    part.write_bytes(part.read_bytes()[:-7] + b"\xff" * 7)
    with pytest.raises(IndexRefusedError, match=r"encodings\.npy is damaged"):
        transfer(there, here)
    transfer(there, here)
    assert current_version(here) == version


def damage(chunks: Iterable[Chunk]) -> Iterable[Chunk]:
    return (replace(chunk, data=bytes(len(chunk.data))) for chunk in chunks)


def lie(chunks: Iterable[Chunk]) -> Iterable[Chunk]:
    """Other bytes, whose own checksums are right."""
    for chunk in chunks:
        data = bytes(len(chunk.data))
        yield replace(chunk, data=data, sha256=hashlib.sha256(data).digest())


def skip(chunks: Iterable[Chunk]) -> Iterable[Chunk]:
    return (chunk for number, chunk in enumerate(chunks) if number != 1)


def elsewhere(chunks: Iterable[Chunk]) -> Iterable[Chunk]:
    return (replace(chunk, file="../../CURRENT") for chunk in chunks)


def grow(chunks: Iterable[Chunk]) -> Iterable[Chunk]:
    for chunk in chunks:
        yield chunk
        yield replace(chunk, offset=chunk.offset + 10_000_000)


@pytest.mark.parametrize(
    ("alter", "words"),
    [
        (damage, r"a chunk of encodings\.npy is damaged"),
        (lie, r"what came from the other machine is not taken: index .* is damaged"),
        (skip, r"a chunk of encodings\.npy is missing"),
        (elsewhere, "gets more than was offered"),
        (grow, "gets more than was offered"),
        (lambda _: [], "is cut short"),
    ],
)
def test_a_damaged_or_false_transfer_is_refused_by_name(there: Path, here: Path, alter: Alter, words: str) -> None:
    old = current_version(here)
    version = publish_there(there, "s1", "s2", "s3")
    with pytest.raises(IndexRefusedError, match=words) as refused:
        transfer(there, here, alter=alter)
    assert version in str(refused.value)
    assert current_version(here) == old
    assert load_gallery(here).identities == ("s1", "s2")
    transfer(there, here)
    assert current_version(here) == version


def offered(there: Path, **fields: object) -> Offer:
    """The offer, with other fields in a manifest whose checksum is right."""
    offer = offer_of(there)
    assert offer is not None
    manifest = json.dumps(json.loads(offer.manifest) | fields).encode()
    return Offer(offer.version, manifest, hashlib.sha256(manifest).hexdigest(), offer.files)


def test_a_false_offer_is_refused_by_name(there: Path, here: Path) -> None:
    version = publish_there(there, "s1", "s2", "s3")
    true, other = offer_of(there), "000009-20260301T080000Z-5f3a9c01"
    assert true is not None
    files = json.loads(true.manifest)["files"]
    traps = {
        "its manifest is damaged": replace(true, sha256="0" * 64),
        "its manifest cannot be used": replace(offered(there, format=9)),
        f"its manifest is that of '{other}'": offered(there, version=other),
        "is no version of an index": replace(true, version="../../etc"),
        "not those of its manifest": replace(true, files={**true.files, "more.npy": 1}),
        "files offered": offered(there, files={**files, "../CURRENT": "0" * 64}),
        "stay free": replace(true, files={**true.files, "encodings.npy": 10**18}),
    }
    for words, offer in traps.items():
        with pytest.raises(IndexRefusedError, match=words):
            transfer(there, here, offer=offer)
        assert not (here / INCOMING).exists()
    assert load_gallery(here).identities == ("s1", "s2")
    transfer(there, here)
    assert current_version(here) == version


def test_an_older_index_and_another_of_the_same_number_are_refused(there: Path, here: Path, tmp_path: Path) -> None:
    publish_there(there, "s2")
    transfer(there, here)
    anew = tmp_path / "anew"  # the machine with the store, set up anew
    for words in ("it is older than 000002-", "has the same number"):
        version = publish_there(anew, "s1", "s3")
        with pytest.raises(IndexRefusedError, match=words) as refused:
            transfer(anew, here)
        assert f"index {version} is not taken" in str(refused.value)
        assert str(here) in str(refused.value), "what to do"
    assert load_gallery(here).identities == ("s2",)
    publish_there(anew, "s1", "s3")
    transfer(anew, here)
    assert load_gallery(here).identities == ("s1", "s3")


def test_one_that_cannot_be_used_here_is_refused_before_it_comes(there: Path, here: Path) -> None:
    version = publish_there(there, "s1", model="sface-2021dec")
    offer = offer_of(there)
    assert offer is not None
    with pytest.raises(IndexRefusedError, match=f"index {version} is not taken: another family"):
        IncomingIndex(here).begin(offer, usable=lambda manifest: f"another family than {manifest.family}")
    assert not (here / INCOMING).exists()


def test_a_damaged_pointer_is_mended_by_what_comes(there: Path, here: Path) -> None:
    (here / "CURRENT").write_text("nonsense")
    transfer(there, here)
    assert load_gallery(here).identities == ("s1", "s2")


def test_what_is_replaced_while_it_is_given_is_given_no_further(there: Path) -> None:
    offer = offer_of(there)
    assert offer is not None
    chunks = chunks_of(there, offer, {}, chunk_bytes=100)
    next(chunks)
    publish_there(there, "s2")
    with pytest.raises(Exception, match=r"a newer index than .* was published meanwhile"):
        list(chunks)
