"""Tables at every width of a terminal."""

import io

import pytest
from rich.console import Console

from sweeps.view.columns import Column, fitting, table_of

COLUMNS = [
    Column("sweep", ["a-name-of-some-length", "b"]),
    Column("state", ["complete", "running"], rank=1),
    Column("benchmark", ["lenet5/mnist", "resnet20/cifar10"], rank=3),
    Column("best", ["1.39 %", "10.02 %"], rank=2, right=True),
]


def drawn(width: int) -> list[str]:
    console = Console(file=io.StringIO(), width=width)
    console.print(table_of(COLUMNS, width))
    return console.file.getvalue().splitlines()


@pytest.mark.parametrize("width", [8, 20, 21, 22, 50, 57, 58, 90])
def test_no_word_is_cut_and_no_line_is_too_long(width: int) -> None:
    lines = drawn(width)
    assert all(len(line.rstrip()) <= width for line in lines)
    assert "…" not in "".join(lines)
    assert "a-name-of-some-length" in "".join("".join(lines).split())


def test_the_least_important_column_goes_first() -> None:
    def titles(width: int) -> list[str]:
        return [column.title for column in fitting(COLUMNS, width)]

    assert titles(80) == ["sweep", "state", "benchmark", "best"]
    assert titles(58) == titles(80), "all of it has room in 21 + 8 + 16 + 7 and three gaps"
    assert titles(57) == ["sweep", "state", "best"]
    assert titles(39) == ["sweep", "state"]
    assert titles(5) == ["sweep"]
