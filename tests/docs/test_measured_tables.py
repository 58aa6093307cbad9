"""The tables of the documentation are those of the measurements that are kept."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "benchmarks"))
from speed_table import (
    PAGE,
    README,
    RIVALS_BEGIN,
    RIVALS_END,
    readme_table,
    rivals_table,
    speed_tables,
    with_table,
)


def test_the_tables_of_speed_are_what_was_measured() -> None:
    page = PAGE.read_text("utf-8")
    assert with_table(page, speed_tables()) == page
    assert with_table(page, rivals_table(), RIVALS_BEGIN, RIVALS_END) == page


def test_the_speed_on_the_readme_is_what_was_measured() -> None:
    readme = README.read_text("utf-8")
    assert with_table(readme, readme_table()) == readme
