import sys

import pytest

from trainers.references import resolve


@pytest.fixture
def modules(tmp_path, monkeypatch):
    """A folder on the path, for modules of a user's own."""
    monkeypatch.syspath_prepend(tmp_path)
    before = set(sys.modules)
    yield tmp_path
    for name in set(sys.modules) - before:
        del sys.modules[name]


def test_a_name_in_a_module_of_ones_own(modules):
    (modules / "my_networks.py").write_text("def build():\n    return 'built'\n")
    assert resolve("my_networks:build")() == "built"


@pytest.mark.parametrize("reference", ["", "build", ":build", "my_networks:", "my_networks.build"])
def test_the_form_is_said(reference):
    with pytest.raises(ValueError, match="expected module:name, as my_networks:build; got"):
        resolve(reference)


@pytest.mark.parametrize("missing", ["my_network", "my_network.inner"])
def test_a_module_that_is_not_there(missing):
    with pytest.raises(ValueError, match=r"no module 'my_network'; put its folder on PYTHONPATH"):
        resolve(f"{missing}:build")


def test_a_misspelt_name_gets_a_hint(modules):
    (modules / "my_networks.py").write_text("def build():\n    pass\n")
    with pytest.raises(ValueError, match=r"my_networks has no 'biuld'; did you mean build\?"):
        resolve("my_networks:biuld")
    with pytest.raises(ValueError, match=r"my_networks has no 'zzz'$"):
        resolve("my_networks:zzz")


@pytest.mark.parametrize(
    ("text", "error"), [("import no_such_thing", ModuleNotFoundError), ("1 / 0", ZeroDivisionError)]
)
def test_a_module_that_fails_says_so_itself(modules, text, error):
    (modules / "broken.py").write_text(text)
    with pytest.raises(error, match=r"no_such_thing|division"):
        resolve("broken:build")
