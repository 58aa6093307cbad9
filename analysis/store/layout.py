"""Where a sweep's rows lie: the names of its files, and what they say.

    <sweep>/tables/<table>.parquet                                  a compacted table
    <sweep>/tables/parts/<writer>-<number>.<table>.<table>.arrows   a part
    <sweep>/tables/<table>/<writer>-<number>.parquet                a part of an earlier layout

A part has the rows of one call of a writer, of one table or several. Its name lists the tables, so
that a reader of one table opens no other part. Its number gives its place among its writer's parts:
a clock may go back, a number does not. Parts of the earlier layout are read, not written.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from pyarrow import fs

from analysis.store.folders import Folder
from analysis.store.places import TABLES_FOLDER
from analysis.store.schema import Table

PARTS_FOLDER = "parts"
"""The folder of parts that are not compacted yet."""
_PART = re.compile(r"(?P<writer>.+)-(?P<number>\d{6,})\.(?P<tables>.+)")


def compacted_file(sweep: Folder, table: Table) -> Folder:
    """Return the one file that has a table's rows up to the last compaction."""
    return sweep.child(TABLES_FOLDER, f"{table.name}.parquet")


def parts_folder(sweep: Folder) -> Folder:
    """Return the folder that has a sweep's parts."""
    return sweep.child(TABLES_FOLDER, PARTS_FOLDER)


def part_files(sweep: Folder, table: Table, writer: str | None = None) -> list[fs.FileInfo]:
    """Return the parts that have rows of a table, of one writer or of all, sorted by name."""
    name = r"[^.].*" if writer is None else rf"{re.escape(writer)}-\d{{6,}}"
    several = rf"{name}(\.\w+)*\.{table.name}(\.\w+)*\.arrows"
    return [
        *sweep.child(TABLES_FOLDER, table.name).matching(re.compile(rf"{name}\.parquet")),
        *parts_folder(sweep).matching(re.compile(several)),
    ]


def part_name(writer: str, number: int, tables: Iterable[str]) -> str:
    """Return the name of the part that a writer's write of this number makes."""
    return f"{writer}-{number:06d}.{'.'.join(tables)}.arrows"


def next_number(sweep: Folder, writer: str) -> int:
    """Return the number after the last part of a writer."""
    written = parts_folder(sweep).matching(re.compile(rf"{re.escape(writer)}-\d{{6,}}\..+"))
    return 1 + max((order_of(file.path)[2] for file in written), default=-1)


def tables_of(part: str) -> list[str]:
    """Return the tables that a part has rows of, by its path."""
    folder, _, name = part.rpartition("/")
    if name.endswith(".parquet"):
        return [folder.rpartition("/")[2]]
    return _named(name)["tables"].split(".")[:-1]


def order_of(part: str) -> tuple[str, bool, int]:
    """Return the writer of a part, and by what the parts of one writer are in order.

    Returns:
        The writer, False in the earlier layout, whose parts come first, and the part's number.
    """
    name = _named(part.rpartition("/")[2])
    return name["writer"], name["tables"] != "parquet", int(name["number"])


def _named(name: str) -> re.Match[str]:
    # A name without a number is nobody's of ours: it orders, and is found damaged when read.
    found = (
        _PART.fullmatch(name)
        or _PART.fullmatch(f"{name}.arrows")
        or _PART.fullmatch(f"{name}-000000.parquet")
    )
    assert found is not None
    return found
