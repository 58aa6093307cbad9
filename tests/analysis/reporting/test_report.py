import base64
import hashlib
import re
import shutil
import subprocess
from html.parser import HTMLParser

import numpy as np
import pandas as pd
import pytest
from synthetic_store import SyntheticSweep, configuration, learning_curve

import analysis
from analysis.reporting.rendering import unbroken
from analysis.reporting.report import FORMATS


def search_sweep() -> SyntheticSweep:
    """Write a small search: a good trial, a poor one, one pruned and one diverged."""
    sweep = SyntheticSweep("quickstart", purpose="exploratory", validation="held_out", seeds=2)
    rng = np.random.default_rng(5)
    for trial, (final, epochs, status) in enumerate(
        ((2.5, 30, "completed"), (6.1, 30, "completed"), (9, 8, "pruned"), (80, 2, "diverged"))
    ):
        config = configuration(
            options={"s": 3 + trial, "k": 3}, learning_rate=10.0 ** (-4 + trial), lambda_sum=0.01
        )
        for seed in range(2):
            curve = learning_curve(final + rng.normal(0, 0.1), epochs, rng)
            run = sweep.add_run(config, seed, curve, status=status, trial=trial)
            if status == "completed":
                sweep.add_functions(run, [0, 1, 30], ["act1", "act2"])
    sweep.add_trials(["s", "learning_rate"])
    return sweep


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    root, out = tmp_path_factory.mktemp("root"), tmp_path_factory.mktemp("out")
    search_sweep().write(root)
    paths = analysis.report(analysis.load(root), out, FORMATS)
    return out, paths


def numbers(text: str) -> set[str]:
    return set(re.findall(r"\d+\.\d\d+", text))


def test_all_three_forms_and_what_they_show_are_written(written):
    out, paths = written
    assert {p.name for p in paths[:3]} == {"report.html", "report.md", "report.tex"}
    assert all(path.stat().st_size > 0 for path in paths)
    shown = re.findall(r"\]\((.*?)\)", (out / "report.md").read_text())
    included = re.findall(r"includegraphics\[.*?\]\{(.*?)\}", (out / "report.tex").read_text())
    assert len(shown) > 3
    assert len(included) > 3
    for name in (*shown, *included):
        assert (out / name).exists(), name


def test_tables_have_the_same_numbers_in_every_form(written):
    out, _ = written
    page = (out / "report.html").read_text()
    tables = "".join(re.findall(r"<table.*?</table>", page, flags=re.DOTALL))
    in_tables = numbers(re.sub(r"<[^>]+>", " ", tables))
    assert "2.5" in page
    assert len(in_tables) > 5
    assert in_tables <= numbers((out / "report.md").read_text())
    assert in_tables <= numbers((out / "report.tex").read_text())


class Page(HTMLParser):
    """Collect what a page could load, run or style inline, and what describes its drawings."""

    def __init__(self):
        super().__init__()
        self.loads, self.scripts, self.inline_styles = [], [], []
        self.labels, self.ids, self.references, self.policy = [], [], [], ""

    def handle_starttag(self, tag, attrs):
        attributes = dict(attrs)
        self.loads += [attributes[a] for a in ("src", "srcset", "action") if a in attributes]
        links = [attributes[a] for a in ("href", "xlink:href") if a in attributes]
        self.references += links
        self.loads += [link for link in links if not link.startswith("#")]
        if tag == "script" or any(name.startswith("on") for name in attributes):
            self.scripts.append(tag)
        if "style" in attributes:
            self.inline_styles.append(tag)
        if tag == "svg":
            self.labels.append((attributes.get("role"), attributes.get("aria-label")))
        if "id" in attributes:
            self.ids.append(attributes["id"])
        if attributes.get("http-equiv") == "Content-Security-Policy":
            self.policy = attributes["content"]


@pytest.fixture(scope="module")
def page(written):
    parser = Page()
    parser.feed((written[0] / "report.html").read_text())
    return parser


def test_the_page_stands_alone_under_a_strict_policy(page, written):
    text = (written[0] / "report.html").read_text()
    assert page.loads == []
    assert page.scripts == []
    assert page.inline_styles == []
    assert "default-src 'none'" in page.policy
    assert "unsafe" not in page.policy
    css = re.search(r"<style>(.*?)</style>", text, flags=re.DOTALL)[1]
    digest = base64.b64encode(hashlib.sha256(css.encode()).digest()).decode()
    assert digest in page.policy
    assert len(text) < 3_000_000


def test_every_drawing_is_described_and_its_ids_are_its_own(page):
    assert len(page.labels) > 3
    assert all(role == "img" and len(label) > 30 for role, label in page.labels)
    assert len(page.ids) == len(set(page.ids))
    assert {link[1:] for link in page.references} <= set(page.ids)


def test_tick_labels_keep_their_digits(written):
    page = (written[0] / "report.html").read_text()
    coordinates = re.findall(r' d="[^"]*"', page)
    assert not any(re.search(r"\.\d{3}", path) for path in coordinates)
    assert "0.0001" in page, "the smallest learning rate, in the table of trials"


def test_a_search_is_told_apart_from_a_test_of_the_paper(written):
    text = (written[0] / "report.md").read_text()
    assert "held out of the training set" in text
    assert "confirmatory sweeps" in text
    assert "partly lucky" in text
    assert "Table 1" not in text


def test_failed_and_stopped_runs_are_listed(written):
    text = (written[0] / "report.md").read_text()
    failures = text[text.index("## Failed and stopped runs") :]
    assert failures.count("diverged after 2 epochs") == 2
    assert failures.count("pruned after 8 epochs") == 2


def test_a_run_that_ended_without_a_reason_is_listed(tmp_path):
    """As when its worker was lost: nobody was left to write one."""
    sweep = SyntheticSweep("table1_lenet5")
    sweep.add_run(configuration(), 0, np.array([9.0, 8.0]), status="interrupted")
    sweep.rows["runs"][0]["stop_reason"] = None
    sweep.write(tmp_path / "root")
    analysis.report(analysis.load(tmp_path / "root"), tmp_path / "out", ("md",))
    text = (tmp_path / "out" / "report.md").read_text("utf-8")
    row = text[text.index("## Failed and stopped runs") :]
    assert "| ○ interrupted | 2 of 30 | – |" in row


def test_the_same_store_gives_the_same_bytes(written, tmp_path):
    out, paths = written
    root = tmp_path / "root"
    search_sweep().write(root, parts=3, shuffle_seed=2)
    analysis.report(analysis.load(root), tmp_path / "again", FORMATS)
    for path in paths:
        assert path.read_bytes() == (tmp_path / "again" / path.relative_to(out)).read_bytes(), path


def test_only_the_forms_asked_for_are_written(tmp_path):
    search_sweep().write(tmp_path / "root")
    usual = analysis.report(analysis.load(tmp_path / "root"), tmp_path / "usual")
    assert {path.suffix for path in usual} == {".html", ".md", ".csv", ".svg"}
    paths = analysis.report(analysis.load(tmp_path / "root"), tmp_path / "out", ("html",))
    assert [p.name for p in paths] == ["report.html"]
    assert [p.name for p in (tmp_path / "out").iterdir()] == ["report.html"]
    with pytest.raises(ValueError, match="no format 'pdf': there is html, md, tex"):
        analysis.report(analysis.load(tmp_path / "root"), tmp_path / "out", ("pdf",))


def test_a_sweep_that_has_just_begun_has_a_report(tmp_path):
    SyntheticSweep("young").write(tmp_path / "root")
    analysis.report(analysis.load(tmp_path / "root"), tmp_path / "out", ("md",))
    assert "No run has begun yet" in (tmp_path / "out" / "report.md").read_text()


def test_a_running_sweep_without_a_finished_trial_has_a_report(tmp_path):
    sweep = SyntheticSweep("young", purpose="exploratory")
    sweep.add_run(configuration(), 0, np.array([]), status="running")
    sweep.add_run(configuration(), 1, np.array([50.0, 20.0]), status="running")
    sweep.write(tmp_path / "root")
    analysis.report(analysis.load(tmp_path / "root"), tmp_path / "out")
    assert "no trial has completed yet" in (tmp_path / "out" / "report.md").read_text()


def test_names_that_are_markup_stay_text(tmp_path):
    sweep = SyntheticSweep("a_b<i>|{x}%&")
    sweep.add_run(configuration(), 0, np.array([5.0]), status="diverged")
    sweep.write(tmp_path / "root")
    analysis.report(analysis.load(tmp_path / "root"), tmp_path / "out", FORMATS)
    page = (tmp_path / "out" / "report.html").read_text()
    assert "a_b&lt;i&gt;|{x}%&amp;" in page
    assert r"a\_b\<i\>\|{x}%&" in (tmp_path / "out" / "report.md").read_text()
    latex = (tmp_path / "out" / "report.tex").read_text()
    assert r"a\_\allowbreak{}b\textless{}i\textgreater{}\textbar{}\{x\}\%\&" in latex


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="needs LaTeX to compile the report")
def test_latex_compiles_and_nothing_runs_far_into_the_margin(written, tmp_path):
    shutil.copytree(written[0], tmp_path / "report")
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "report.tex"]
    done = subprocess.run(command, cwd=tmp_path / "report", capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-800:]
    assert (tmp_path / "report" / "report.pdf").stat().st_size > 10_000
    overfull = [float(x) for x in re.findall(r"Overfull .hbox \(([\d.]+)pt", done.stdout)]
    assert max(overfull, default=0) < 15, "a fifth of the margin"


@pytest.fixture(scope="module")
def judged(tmp_path_factory):
    """Write the report on Table 1's sweep of LeNet-5, in which one run of ReLU diverged."""
    root, out = tmp_path_factory.mktemp("root"), tmp_path_factory.mktemp("out")
    rng = np.random.default_rng(2)
    sweep = SyntheticSweep("table1_lenet5")
    for activation in ("relu", "swish", "apl", "polyneuron", "polyneuron_r"):
        for seed in range(5):
            failed = activation == "relu" and seed == 4
            curve = learning_curve(2 + rng.normal(0, 0.1), 3 if failed else 30, rng)
            status = "diverged" if failed else "completed"
            sweep.add_run(configuration(activation=activation), seed, curve, status=status)
    sweep.write(root)
    results = analysis.load(root)
    analysis.report(results, out, FORMATS)
    return results, out


def test_every_run_set_leads_to_its_runs(judged):
    results, out = judged
    text = (out / "report.md").read_text()
    sets = pd.read_csv(out / "data" / "run-sets.csv").set_index("run_set")
    named = set(re.findall(r"\| ([0-9a-f]{8}) \|", text))
    assert len(named) > 5
    assert named <= set(sets.index)
    for name, row in sets.iterrows():
        digest = hashlib.sha256("\n".join(row["run_ids"].split()).encode()).hexdigest()
        assert digest == row["runs_sha256"]
        assert digest.startswith(name)
    known = set(results.runs["run_id"].astype(str))
    assert set(" ".join(sets["run_ids"]).split()) <= known


def test_verdicts_and_table_1_have_the_same_numbers_in_every_form(judged):
    _, out = judged
    page = (out / "report.html").read_text()
    tables = "".join(re.findall(r"<table.*?</table>", page, flags=re.DOTALL))
    in_tables = numbers(re.sub(r"<[^>]+>", " ", tables))
    assert len(in_tables) > 30
    assert in_tables <= numbers((out / "report.md").read_text())
    assert in_tables <= numbers((out / "report.tex").read_text())


def test_table_1_says_how_equal_seeds_go_together(judged):
    text = (judged[1] / "report.md").read_text()
    assert "errors of equal seeds correlate with" in text


def test_any_name_of_a_sweep_works_in_addresses_ids_and_files(tmp_path):
    name = "a b#c%d?&<>\"'_$~^é"
    sweep = SyntheticSweep(name)
    for activation in ("relu", "polyneuron_r"):
        for seed in range(3):
            errors = np.linspace(9, 2 + 0.1 * seed, 30)
            sweep.add_run(configuration(activation=activation), seed, errors)
    sweep.add_trials(["activation"])
    sweep.write(tmp_path)
    results = analysis.load(tmp_path)
    page = tmp_path / "page"
    texts = {
        path.suffix: path.read_text("utf-8")
        for path in analysis.report(results, page, FORMATS)
        if path.suffix in (".html", ".md", ".tex")
    }
    plain = re.compile(r"[A-Za-z0-9._/-]+")
    assert all(plain.fullmatch(path.name) for path in page.rglob("*"))
    links = set(re.findall(r'(?:href|src)="#?(?!data:)([^"]*)"', texts[".html"]))
    ids = set(re.findall(r'\bid="([^"]*)"', texts[".html"]))
    assert all(plain.fullmatch(one) for one in links | ids)
    for target in re.findall(r"\]\(([^)]*)\)", texts[".md"]):
        assert (page / target).exists()
    for target in re.findall(r"includegraphics\[[^]]*\]\{([^}]*)\}", texts[".tex"]):
        assert (page / target).exists()
    assert "sweeps results 'a b#c%d?&<>" in texts[".md"]
    found = results.query(
        "select count(*) as n from runs where sweep = '{}'".format(name.replace("'", "''"))
    )
    assert found["n"].item() == 6


def test_table_1_stands_first_in_the_papers_shape_with_its_ledger(judged):
    results, out = judged
    text = (out / "report.md").read_text()
    first = text[text.index("## ") : text.index("## ", text.index("## ") + 3)]
    assert first.startswith("## Table 1\n")
    lines = [line for line in first.splitlines() if line.startswith("|")]
    assert len(lines) == 2 + 5
    assert all(line.count("|") == 6 for line in lines)
    relu = next(line for line in lines if "ReLU" in line)
    assert "n = 4 (a)" in relu
    assert "(a) planned 5, completed 4, diverged 1" in first
    assert "n = 5" not in first
    paper_column = [line.split("|")[3].strip() for line in lines[2:]]
    assert [cell for cell in paper_column if "**" in cell] == ["**1.66**"]
    ours = [line.split("|")[2].strip() for line in lines[2:]]
    means = analysis.table1(results).query("benchmark == 'lenet5/mnist'")["mean"].tolist()
    assert [cell.startswith("**") for cell in ours] == [m == min(means) for m in means]


def test_every_claim_is_counted_once_beside_the_forest(judged):
    text = (judged[1] / "report.md").read_text()
    counted = re.search(r"\*\*(\d+) claims: (.*)\*\*", text)
    assert sum(int(n) for n in re.findall(r"\d+", counted[2])) == int(counted[1])
    assert "△ " in counted[2]


def test_no_number_of_a_page_can_break():
    page = str(unbroken("0.03 ± 0.01 % of <b> 1,024 at 1.5e−4, not ab12cd"))
    whole = re.findall(r'<span class="whole">(.*?)</span>', page)
    assert whole == ["0.03 ± 0.01 %", "1,024", "1.5e−4"]
    assert "&lt;b&gt;" in page


def test_a_curve_says_how_many_seeds_still_run(tmp_path):
    sweep = SyntheticSweep("table1_lenet5")
    for activation, ends in (("relu", (30, 12, 12)), ("swish", (30, 30, 30))):
        for seed, end in enumerate(ends):
            status = "completed" if end == 30 else "diverged"
            errors = np.linspace(9, 2, end)
            sweep.add_run(configuration(activation=activation), seed, errors, status=status)
    sweep.write(tmp_path)
    paths = analysis.report(analysis.load(tmp_path), tmp_path / "out", ("md",))
    text = paths[0].read_text()
    assert "4 of 6 runs reach epoch 30" in text
    curves = pd.read_csv(tmp_path / "out" / "data" / "table1_lenet5-curves.csv")
    relu = curves[curves["activation"] == "relu"].set_index("epoch")["runs"]
    assert (relu[12], relu[13], relu[30]) == (3, 1, 1)
    assert "n = 1" in (tmp_path / "out" / "figures" / "table1_lenet5-curves.svg").read_text()
