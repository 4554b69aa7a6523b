"""What a published index is: the JSON beside its files."""

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Protocol

FORMAT = 2
"""Encodings as a NumPy array, files' checksums by parts. Format 1 had a FAISS file, and is still read."""
_READ = (1, FORMAT)
_EXACT = {"kind": "exact"}


class ModelTraits(Protocol):
    """What a gallery is told of the model that made its encodings."""

    @property
    def family(self) -> str:
        """The family of models that it belongs to."""

    @property
    def usual_distance(self) -> float:
        """Euclidean distance that two photos of one person usually have."""


TraitsOf = Callable[[str], ModelTraits]
"""Given a model's name."""


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a published index is."""

    version: str
    """A running number, the time, and the start of the encodings' hash: 000012-20260301T080000Z-5f3a9c01."""
    created_at: str
    """UTC, ISO 8601."""
    model: str
    """The embedding model that made the encodings."""
    encoding_size: int
    identities: int
    """How many students."""
    encodings: int
    """How many encodings of them in all."""
    files: Mapping[str, str]
    """Checksum of each file: `attendance.gallery.digests.tree_digest`, in format 1 its SHA-256."""
    format: int = FORMAT
    search: Mapping[str, Any] = field(default_factory=lambda: dict(_EXACT))
    """{"kind": "exact"}, or "ivf" with the fields of `attendance.gallery.proposals.Tuning`."""
    family: str = ""
    """The model's family; empty in manifests of before there were families: the model's name says it."""

    def to_json(self) -> bytes:
        """As written to manifest.json."""
        return (json.dumps(asdict(self), indent=2) + "\n").encode()

    @classmethod
    def from_json(cls, data: bytes) -> "Manifest":
        """Read what `to_json` wrote.

        Raises:
            ValueError: it is something else, or of a format unknown here.
        """
        values = json.loads(data)
        if not isinstance(values, dict) or values.get("format") not in _READ:
            raise ValueError(f"not an index of format {FORMAT} or older")
        try:
            manifest = cls(**values)
        except TypeError as error:
            raise ValueError("not a manifest") from error
        if not isinstance(manifest.files, dict) or not isinstance(manifest.search, dict):
            raise ValueError("not a manifest")
        return manifest

    @property
    def how_searched(self) -> str:
        """A sentence for people."""
        if self.search.get("kind") == "exact":
            return "exact: every encoding is compared"
        return (
            f"approximate ({self.search['probes']} of {self.search['lists']} lists); found the nearest of "
            f"{self.search['recall']:.2%} of {self.search['sample']} faces tried when it was built"
        )
