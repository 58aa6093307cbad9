"""The documentation builds without a warning, and its links lead somewhere."""

import re
import subprocess
import sys
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

DOCS = Path(__file__).parents[2] / "docs"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    sphinx = [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-q", "-b", "html"]
    done = subprocess.run(
        [*sphinx, "-d", folder / "doctrees", DOCS, folder / "html"], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return folder / "html"


class Page(HTMLParser):
    def __init__(self, file: Path) -> None:
        super().__init__()
        self.links: list[str] = []
        self.anchors: set[str] = set()
        self.feed(file.read_text("utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if name == "id" and value:
                self.anchors.add(value)
            elif name in ("href", "src") and value:
                self.links.append(value)


page = cache(Page)


def test_internal_links_and_anchors_exist(site: Path) -> None:
    broken = []
    for file in [file for file in site.rglob("*.html") if "_static" not in file.parts]:
        for link in page(file).links:
            parts = urlsplit(link)
            if parts.scheme or parts.netloc:
                continue
            target = (file.parent / unquote(parts.path)).resolve() if parts.path else file
            anchor = parts.fragment
            if not target.exists() or (anchor and anchor not in page(target).anchors):
                broken.append(f"{file.name}: {link}")
    assert broken == []


def test_every_page_is_in_the_contents(site: Path) -> None:
    (index,) = site.glob("index.html")
    assert len(page(index).links) > 10
    written = {file.relative_to(DOCS).with_suffix("").as_posix() for file in DOCS.rglob("*.md")}
    built = {file.relative_to(site).with_suffix("").as_posix() for file in site.rglob("*.html")}
    assert {name for name in written if not re.match(r"_build|reference/generated", name)} <= built
