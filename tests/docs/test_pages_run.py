"""The blocks of the tutorial and of the how-to guides, pasted in order, run."""

import os
import re
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1]))
from pasted import BLOCK, ROOT, newcomer, paste, pasted_lines

DOCS = ROOT / "docs"
PAGES = {
    file.relative_to(DOCS).as_posix(): text
    for file in sorted((*DOCS.glob("tutorial/*.md"), *DOCS.glob("how-to/*.md")))
    if BLOCK.search(text := file.read_text("utf-8"))
}
pytestmark = [
    pytest.mark.timeout(1800),
    pytest.mark.skipif(
        "SWEEPS_PAGES" not in os.environ,
        reason="ten minutes: run by `make test-pages`",
    ),
    pytest.mark.skipif(
        not (Path(sys.prefix) / "bin" / "activate").exists(), reason="needs a virtual environment"
    ),
]


@pytest.mark.parametrize("name", PAGES)
def test_every_block_of_a_page_runs_when_pasted(name: str, tmp_path: Path) -> None:
    page = re.sub(r"epochs: \d+", "epochs: 1", PAGES[name])  # the same commands, sooner
    page = re.sub(r"trials: \d+", "trials: 3", page)
    with newcomer(tmp_path) as environment:
        paste(pasted_lines(page, tmp_path), tmp_path, environment)
