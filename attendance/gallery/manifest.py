"""What a published index is: the JSON beside its files."""

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Annotated, Any, ClassVar, Protocol, TypeVar

from pydantic import AwareDatetime, ConfigDict, Field, TypeAdapter, ValidationError

_T = TypeVar("_T")

FORMAT = 2
"""Encodings as a NumPy array, files' checksums by parts. Format 1 had a FAISS file, and is still read."""
_READ = (1, FORMAT)
_EXACT = {"kind": "exact"}

# Whoever can write the folder can write right checksums: types and numbers are checked as well.
_STRICT = ConfigDict(strict=True, extra="forbid", allow_inf_nan=False)
Count = Annotated[int, Field(ge=0)]
Some = Annotated[int, Field(ge=1)]
Share = Annotated[float, Field(ge=0, le=1)]


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
class Tuning:
    """How an approximate index is searched, and what that was measured to find when it was built."""

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT

    lists: Some
    probes: Some
    """Lists searched for each face."""
    proposals: Some
    """Means whose encodings are then compared."""
    recall: Share
    """Share of further photos of enrolled students whose nearest student was found; the photos are made of the
    gallery's own: an encoding, moved as one photo of another student is from another photo of that student."""
    recall_own: Share
    """The same of encodings of the gallery itself."""
    sample: Count
    """Probes of each of these two kinds."""
    recall_strangers: Share = 0.0
    """The same of strangers, made of the gallery's own people: sums of what sets a few of them apart from the average,
    with random weights, so that they differ as people do."""


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a published index is."""

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT

    version: str
    """A running number, the time, and the start of the encodings' hash: 000012-20260301T080000Z-5f3a9c01."""
    created_at: str
    """UTC, ISO 8601."""
    model: str
    """The embedding model that made the encodings."""
    encoding_size: Some
    identities: Count
    """How many students."""
    encodings: Count
    """How many encodings of them in all."""
    files: Mapping[str, str]
    """Checksum of each file: `attendance.gallery.digests.tree_digest`, in format 1 its SHA-256."""
    format: int = FORMAT
    search: Mapping[str, Any] = field(default_factory=lambda: dict(_EXACT))
    """{"kind": "exact"}, or "ivf" with the fields of `Tuning`."""
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
        values = _read(_ANYTHING, data)
        if not isinstance(values, dict) or values.get("format") not in _READ:
            raise ValueError(f"not an index of format {FORMAT} or older")
        manifest = _read(_MANIFEST, data)
        _read(_TIME, json.dumps(manifest.created_at).encode(), name="created_at")
        if not manifest.is_exact:
            tuning_of(manifest.search)
        return manifest

    @property
    def is_exact(self) -> bool:
        """Whether every encoding is compared."""
        return self.search == _EXACT

    @property
    def how_searched(self) -> str:
        """A sentence for people."""
        if self.is_exact:
            return "exact: every encoding is compared"
        tuning = tuning_of(self.search)
        return (
            f"approximate ({tuning.probes} of {tuning.lists} lists); found the nearest of "
            f"{tuning.recall:.2%} of {tuning.sample} faces tried when it was built"
        )


_Labels = list[tuple[Annotated[str, Field(min_length=1)], Some]]
_ANYTHING: TypeAdapter[Any] = TypeAdapter(Any)
_MANIFEST = TypeAdapter(Manifest)
_TUNING = TypeAdapter(Tuning)
_TIME: TypeAdapter[Any] = TypeAdapter(AwareDatetime)
_LABELS = TypeAdapter(_Labels, config=_STRICT)


def read_labels(data: bytes) -> _Labels:
    """Read the labels of an index: each student's index number, and how many encodings they have.

    Raises:
        ValueError: they are something else.
    """
    return _read(_LABELS, data, wrong="not labels")


def tuning_of(search: Mapping[str, Any]) -> Tuning:
    """How an approximate index is searched, of a manifest's `search`.

    Raises:
        ValueError: it does not say how to search one.
    """
    if search.get("kind") != "ivf":
        raise ValueError("the manifest does not say how to search it")
    said = {name: value for name, value in search.items() if name != "kind"}
    return _read(_TUNING, json.dumps(said).encode(), wrong="the manifest does not say how to search it")


def _read(adapter: TypeAdapter[_T], data: bytes, *, name: str = "", wrong: str = "not a manifest") -> _T:
    try:
        return adapter.validate_json(data)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(str(part) for part in ((name,) if name else ()) + first["loc"])
        raise ValueError(f"{wrong}: {place + ': ' if place else ''}{first['msg']}") from None
