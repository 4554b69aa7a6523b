"""Writing pickles of numpy arrays that numpy 1 can read as well: face_recognition users often have that one."""

import io
import pickle
from typing import Any

# Read by every Python 3 since 3.4.
_PROTOCOL = 4
# numpy 2 moved its core; it still answers to the old name, and numpy 1 knows no other.
_NEW_CORE = "numpy._core."
_OLD_CORE = "numpy.core."


# The pickler in Python: the one in C writes names without asking. The standard library's stubs leave its methods out.
_PythonPickler: Any = pickle._Pickler


class _Pickler(_PythonPickler):  # type: ignore[misc]
    def save_global(self, obj: Any, name: str | None = None) -> None:
        module = getattr(obj, "__module__", "") or ""
        if not module.startswith(_NEW_CORE):
            super().save_global(obj, name)
            return
        self.save(_OLD_CORE + module.removeprefix(_NEW_CORE))
        self.save(obj.__qualname__)
        self.write(pickle.STACK_GLOBAL)
        self.memoize(obj)


def pickled(content: Any) -> bytes:
    """Pickle lists, mappings, strings, numbers and numpy arrays, for every Python 3 and numpy 1 or 2."""
    file = io.BytesIO()
    _Pickler(file, _PROTOCOL).dump(content)
    return file.getvalue()
