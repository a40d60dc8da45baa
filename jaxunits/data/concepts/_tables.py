"""Tables of names and numbers that lie beside images."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Sequence
from pathlib import Path

from ..._errors import InputError, unknown_name

Row = dict[str, str]
MOST = 2**16 - 1


def read_table(path: Path, columns: Sequence[str]) -> list[Row]:
    """The rows of a CSV file with a header that has these columns, and perhaps others.

    Raises:
      InputError: there is no such file, it is not CSV in UTF-8, a column is missing, or a row is
        too short or too long.
    """
    if not path.is_file():
        raise InputError(
            f"file {path} does not exist: it has to be a CSV file with the columns "
            f"{', '.join(columns)}"
        )
    try:
        reader = csv.DictReader(io.StringIO(path.read_bytes().decode("utf-8-sig"), newline=""))
        header, rows = reader.fieldnames or [], list(reader)
    except UnicodeDecodeError as error:
        raise InputError(
            f"file {path} is not UTF-8 ({error.reason} at byte {error.start}): save it as CSV in "
            "UTF-8"
        ) from error
    except csv.Error as error:
        raise InputError(f"file {path} is not CSV ({error}): save it as CSV in UTF-8") from error
    for column in columns:
        if column not in header:
            raise unknown_name("column", column, header, f"file {path}")
    for number, row in enumerate(rows):
        if None in row or None in row.values():
            raise InputError(f"row {number} of {path} does not fill the columns of its header")
    return rows


def whole_number(row: Row, column: str, path: Path) -> int:
    """A number of 0 to 65,535 in a row: what two channels of 8 bits, or one of 16, can say.

    Raises:
      InputError: it is something else.
    """
    value = row[column].strip()
    if not re.fullmatch("0*[0-9]{1,5}", value) or int(value) > MOST:
        raise InputError(f"{column} {value[:40]!r} in {path}: give a whole number from 0 to {MOST}")
    return int(value)
