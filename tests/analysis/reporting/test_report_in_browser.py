import json
import re
import shutil
import subprocess

import numpy as np
import pytest
from planted_errors import FIVE
from synthetic_store import SyntheticSweep, configuration, learning_curve
from worlds import plant

import analysis

CHROMIUM = (
    shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
)
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium to open the report")

MEASURE = """<!doctype html><iframe id="page" src="{page}" width="{width}" height="900"></iframe>
<script>
addEventListener("load", () => {{
  const page = document.getElementById("page").contentDocument, root = page.documentElement;
  const wide = [...page.querySelectorAll("body *")].filter(
    (e) => e.getBoundingClientRect().right > root.clientWidth + 1
      && !e.closest("details, pre, svg"));
  document.title = JSON.stringify({{
    width: root.clientWidth, scroll: root.scrollWidth,
    wide: wide.map((e) => e.outerHTML.slice(0, 90)),
    headings: [...page.querySelectorAll("h1, h2")].map((e) => e.textContent),
    unnamed: page.querySelectorAll("svg:not([aria-label])").length,
    drawings: page.querySelectorAll("svg").length, styled: getComputedStyle(page.body).maxWidth,
  }});
}});
</script>"""


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    """Write the report on a search, a fixed design and failures together."""
    root, out = tmp_path_factory.mktemp("root"), tmp_path_factory.mktemp("out")
    search = SyntheticSweep("quickstart", purpose="exploratory", seeds=2)
    rng = np.random.default_rng(0)
    for trial in range(6):
        config = configuration(
            options={"s": 3 + trial, "k": 3}, learning_rate=10.0 ** -(2 + trial / 2)
        )
        for seed in range(2):
            status = ("completed", "diverged", "pruned")[trial % 4 % 3]
            epochs = 30 if status == "completed" else 4
            run = search.add_run(
                config, seed, learning_curve(3, epochs, rng), status=status, trial=trial
            )
            if status == "completed":
                search.add_functions(run, [0, 1, 7, 30], ["act1", "act2"])
    search.write(root)
    table = SyntheticSweep("table1_lenet5")
    for activation in FIVE:
        for seed in range(5):
            run = table.add_run(
                configuration(activation=activation), seed, learning_curve(2, 30, rng)
            )
            if activation.startswith("poly"):
                table.add_functions(run, [0, 1, 7, 20, 30], ["act1", "act2"])
    table.write(root)
    for claim in ("no_gain_above_k3", "lambda_prod_hinders", "lower_rate_helps"):
        plant(claim, "true", rng)[0].write(root)
    analysis.report(analysis.load(root), out, ("html",))
    return out / "report.html"


def opened(page, width: int, *flags: str) -> tuple[dict, str]:
    """Return what the browser measured in a frame of that width, and what it had to complain of."""
    frame = page.with_name(f"frame-{width}.html")
    frame.write_text(MEASURE.format(page=page.name, width=width))
    command = [CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--dump-dom"]
    command += ["--allow-file-access-from-files", "--enable-logging=stderr", *flags]
    command += ["--virtual-time-budget=20000", f"--user-data-dir={page.parent / 'profile'}"]
    done = subprocess.run(
        [*command, frame.as_uri()], capture_output=True, text=True, timeout=240, check=True
    )
    title = re.search(r"<title>(.*?)</title>", done.stdout)
    assert title, done.stdout[:300] + done.stderr[-500:]
    found = title[1].replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
    # The browser's own pages complain too, as of a slow network; only ours are under test.
    complaints = [x for x in done.stderr.splitlines() if "CONSOLE" in x and "chrome://" not in x]
    return json.loads(found), "\n".join(complaints)


@pytest.mark.parametrize("width", [360, 1280])
def test_the_page_fits_a_phone_and_a_screen_without_complaints(page, width):
    measured, console = opened(page, width)
    assert console == ""
    assert measured["wide"] == []
    assert measured["scroll"] <= measured["width"]
    assert measured["unnamed"] == 0
    assert measured["drawings"] > 10
    assert measured["styled"] != "none", "the style sheet passed the page's own policy"
    assert measured["headings"][1:4] == ["Table 1", "The paper's claims", "Activation functions"]


def test_the_browser_would_complain_of_an_inline_style(page):
    text = page.read_text().replace("<main>", '<main style="color: red">', 1)
    changed = page.with_name("changed.html")
    changed.write_text(text)
    _, console = opened(changed, 360)
    assert "Content Security Policy" in console
