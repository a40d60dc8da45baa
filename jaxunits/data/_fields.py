"""Which fields of other libraries' records are images and labels, and what the classes are."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Int

from .._arguments import is_whole, shown
from .._errors import InputError

_TUPLE = (0, 1)
# Names of the list of all labels in torchvision's data sets.
_LISTS = ("targets", "labels")
_DEPTH = 10


@dataclass(frozen=True)
class Fields:
    """The fields of a record: names in a mapping, numbers in a tuple."""

    image: str | int
    label: str | int

    def of(self, record: Any, index: int, name: str) -> tuple[Any, Any]:
        """The image and the label of a record, a number where it holds one.

        Raises:
          InputError: it has no such fields.
        """
        try:
            image, label = record[self.image], record[self.label]
        except (KeyError, IndexError, TypeError) as error:
            raise InputError(
                f"record {index} of data {name!r} has {_described(record)}, and no field "
                f"{self.image!r} or {self.label!r}: give image= and label="
            ) from error
        return image, number_of(label)


def record_fields(
    source: Any, first: Any, image: str | int | None, label: str | int | None, name: str
) -> Fields:
    """The fields that the user names, or else those that records say themselves.

    Args:
      source: the data set.
      first: its first record.
      image: the field of the image, if the user names it.
      label: the field of the label, if the user names it.
      name: the name of the data, for messages.

    Raises:
      InputError: it is not certain which field is meant, or a record has none.
    """
    if isinstance(first, tuple | list):
        places = zip((image, label), _TUPLE, strict=True)
        chosen = Fields(*(usual if given is None else given for given, usual in places))
        if len(first) < 2:
            raise InputError(
                f"record 0 of data {name!r} has {_described(first)}: give (image, label) in each"
            )
    elif isinstance(first, Mapping):
        features = getattr(source, "features", None)
        known = features if isinstance(features, Mapping) else {}
        chosen = Fields(
            _field("image", image, "Image", known, first, name),
            _field("label", label, "ClassLabel", known, first, name),
        )
    else:
        raise InputError(
            f"record 0 of data {name!r} is of type {type(first).__name__}: give a tuple (image, "
            "label), or a mapping with an image and a label"
        )
    chosen.of(first, 0, name)
    return chosen


def _field(
    role: str,
    given: str | int | None,
    kind: str,
    features: Mapping[str, Any],
    first: Mapping[str, Any],
    name: str,
) -> str | int:
    """The name of a field: as given, or its usual one, or the only one of its kind."""
    if given is not None:
        return given
    if role in first:
        return role
    of_kind = [key for key, feature in features.items() if type(feature).__name__ == kind]
    if len(of_kind) == 1:
        return of_kind[0]
    raise InputError(
        f"record 0 of data {name!r} has {_described(first)}: name the field of the {role}, as "
        f"{role}={(of_kind or list(first) or ['...'])[0]!r}"
    )


def class_names_of(source: Any, label: str | int) -> Sequence[str] | None:
    """The names of the classes, where the data set knows them: of Hugging Face's, of torchvision's.

    Synonyms of one class are joined.
    """
    features = getattr(source, "features", None)
    if isinstance(features, Mapping):
        return getattr(features.get(label), "names", None)
    names = next((each.classes for each in wrapped(source) if hasattr(each, "classes")), None)
    if not isinstance(names, Sequence) or isinstance(names, str):
        return None
    return [", ".join(map(str, each)) if isinstance(each, tuple) else each for each in names]


def known_labels(source: Any, label: str | int) -> Int[np.ndarray, " images"] | None:
    """All labels, where the data set has them without its images."""
    features = getattr(source, "features", None)
    if isinstance(features, Mapping):
        # What a function makes of the records is known by calling it alone.
        kind = getattr(source, "format", None)
        if not isinstance(kind, Mapping) or kind.get("type") == "custom":
            return None
        return _whole(source[label])
    if label != _TUPLE[1]:
        return None
    if hasattr(source, "dataset") and hasattr(source, "indices"):
        inner = known_labels(source.dataset, label)
        return None if inner is None else inner[np.asarray(source.indices, np.int64)]
    if getattr(source, "target_transform", None) is not None:
        return None
    found = next((getattr(source, each) for each in _LISTS if hasattr(source, each)), None)
    return None if found is None else _whole(found)


def wrapped(source: Any) -> Iterator[Any]:
    """A data set, and those that it takes a part of, as PyTorch's Subset does."""
    for _ in range(_DEPTH):
        yield source
        if not (hasattr(source, "dataset") and hasattr(source, "indices")):
            return
        source = source.dataset


def name_of(source: Any) -> str:
    """The name of a data set of Hugging Face's; of others their type's."""
    known = getattr(getattr(source, "info", None), "dataset_name", None)
    return known if isinstance(known, str) and known else type(source).__name__


def number_of(label: Any) -> Any:
    """The number in a tensor or array of one; anything else as it is."""
    if is_whole(label):
        return int(label)
    item = getattr(label, "item", None)
    if callable(item) and getattr(label, "shape", None) == ():
        return item()
    return label


def _whole(labels: Any) -> Int[np.ndarray, " images"] | None:
    """Labels as integers; None for others, which are refused where they are read."""
    values = [number_of(each) for each in labels]
    return np.asarray(values, np.int64) if all(map(is_whole, values)) else None


def _described(record: Any) -> str:
    if isinstance(record, Mapping):
        return f"the fields {sorted(map(str, record))}"
    if isinstance(record, tuple | list):
        kinds = ", ".join(type(each).__name__ for each in record)
        return f"{len(record)} fields ({kinds})"
    return f"the value {shown(record)}"
