"""Stores of encodings for tests."""

from pathlib import Path

from attendance.gallery.store import Store, update_store


def write_store(path: Path, store: Store) -> None:
    """Write a store in place of whatever is there."""
    update_store(path, lambda _: store, encoding_size=store.encoding_size)
