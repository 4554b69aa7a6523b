"""A gallery on its way from one family of models to another: its second store, and the change from one to the other.

While a gallery is converted, two stores lie side by side: the one in use, `encodings.pickle`, and one of the other
family, `encodings.of-opencv.pickle`, which grows. When it is complete they change places, and what was the store in use
is kept as `encodings.of-dlib.pickle` for as long as somebody in it has not been converted. Whatever erases a student
must look into all of them.
"""

import os
from collections.abc import Callable
from pathlib import Path

from attendance.gallery.files import locked, sync
from attendance.gallery.store import Store, StoreError, lock_of, read_store


def store_of_family(path: Path, family: str) -> Path:
    """The store of another family beside the one in use.

    Args:
        path: the store in use; where it is a link, the other lies beside the file that it leads to.
        family: of the other store's models.
    """
    real = path.resolve()
    return real.with_name(f"{real.stem}.of-{family}{real.suffix}")


def stores_beside(path: Path) -> list[Path]:
    """The stores of other families that lie beside the one in use, sorted by name."""
    real = path.resolve()
    return sorted(real.parent.glob(f"{_literal(real.stem)}.of-*{_literal(real.suffix)}"))


def _literal(text: str) -> str:
    return "".join(f"[{letter}]" if letter in "*?[" else letter for letter in text)


def change_stores(path: Path, second: Path, former: Path, *, unchanged: Callable[[Store], bool]) -> bool:
    """Put the second store in the place of the one in use, which is kept as `former`.

    At every moment, also when the machine loses power, the store in use is the one or the other, whole; and nobody else
    writes it meanwhile.

    Args:
        path: the store in use.
        second: takes its place.
        former: what was in use lies there afterwards.
        unchanged: given the store in use, says whether it is still the one that was converted.

    Returns:
        Whether they changed places; if not, nothing was done.

    Raises:
        StoreError: the store in use cannot be read, or the disk refuses.
    """
    real = path.resolve()
    try:
        with locked(lock_of(path)):
            if not unchanged(read_store(path)):
                return False
            former.unlink(missing_ok=True)
            os.link(real, former)
            sync(real.parent)
            second.replace(real)
            sync(real.parent)
            return True
    except OSError as error:
        raise StoreError(f"cannot put {second} in the place of the store {path}: {error.strerror}") from error
