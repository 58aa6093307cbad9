"""Networks, data and options of a user's own, as a specification names them."""

import sys
from pathlib import Path

import pytest

from sweeps.spec.errors import SpecError
from sweeps.spec.own_modules import OwnModules, failure, imported, use_copy
from sweeps.spec.reading import load_spec, parse_spec
from sweeps.spec.search_space import check, configure, grid

MODULE = '''
from . import ends
from parts import blocks


def net(activation, *, in_channels, classes, width=16, depth: int = 2, seed=None, **more):
    """Build it."""
    return blocks.hidden(activation, width), ends.last(classes)


def needs(activation, classes, size):
    pass
'''


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder with a package, a module beside it, and one that nobody imports."""
    (tmp_path / "nets").mkdir()
    (tmp_path / "nets" / "__init__.py").write_text("")
    (tmp_path / "nets" / "own.py").write_text(MODULE)
    (tmp_path / "nets" / "ends.py").write_text("import numpy\n\ndef last(n):\n    return n\n")
    (tmp_path / "parts").mkdir()
    (tmp_path / "parts" / "blocks.py").write_text("def hidden(a, n):\n    return a(n)\n")
    (tmp_path / "idle.py").write_text("raise ValueError\n")
    monkeypatch.setattr(sys, "path", list(sys.path))
    return tmp_path


def raw(**more):
    return {
        "name": "own",
        "network": "nets.own:net",
        "data": "digits",
        "search": "grid",
        "seeds": 1,
        **more,
    }


def test_all_files_that_a_module_reaches_are_its_code_and_no_others(folder):
    before = OwnModules("nets.own:net", folder)
    names = {"nets", "nets.own", "nets.ends", "parts.blocks"}
    assert set(before.files) == names
    for name, file in before.files.items():
        text = file.read_text()
        file.write_text(f"{text}\nEDITED = 1\n")
        assert OwnModules("nets.own:net", folder).code != before.code, name
        file.write_text(f"{text}\n# a comment\n")
        assert OwnModules("nets.own:net", folder).code == before.code, name
    (folder / "idle.py").write_text("")
    assert OwnModules("nets.own:net", folder).code == before.code


def test_a_copy_is_what_is_imported_from_then_on(folder, tmp_path):
    modules = OwnModules("nets.own:net", folder)
    modules.use()
    assert imported("nets.own:net").__doc__ == "Build it."
    modules.copy_to(tmp_path / "kept")
    there = sorted(path.read_bytes() for path in (tmp_path / "kept").rglob("*.py"))
    OwnModules(modules.reference, tmp_path / "kept").copy_to(tmp_path / "kept")  # as a resume does
    assert sorted(path.read_bytes() for path in (tmp_path / "kept").rglob("*.py")) == there
    edited = folder / "nets" / "own.py"
    edited.write_text(MODULE.replace("Build it", "Edited"))
    use_copy(tmp_path / "kept")
    assert imported("nets.own:net").__doc__ == "Build it."
    OwnModules("nets.own:net", folder).use()
    assert imported("nets.own:net").__doc__ == "Edited."


def test_options_are_completed_by_the_signature_and_searched_by_their_names(folder):
    space = {"width": {"grid": [8, 32]}, "activation": {"grid": ["relu", "swish"]}}
    spec = parse_spec(raw(network_options={"depth": 3}, space=space), folder)
    assert spec.network.options == {"width": 16, "depth": 3}
    assert spec.network.weight_init == "own"
    assert list(spec.space) == ["network.width", "activation"]
    check(spec)
    found = [configure(spec, point).network.options for point in grid(spec)]
    assert found == [{"width": w, "depth": 3} for _ in range(2) for w in (8, 32)]
    # Resolved, it reads back unchanged, wherever it is read.
    assert parse_spec(spec.model_dump(mode="json"), folder / "parts") == spec


def test_code_and_options_are_part_of_what_a_run_is(folder):
    def config_id(**more):
        return configure(parse_spec(raw(**more), folder), {}).config_id

    before = config_id()
    assert (
        before
        == config_id(network_options={"width": 16})
        != config_id(network_options={"width": 8})
    )
    (folder / "parts" / "blocks.py").write_text("def hidden(a, n):\n    return a(n + 1)\n")
    assert config_id() != before


def test_images_of_ones_own_are_not_augmented_unless_the_recipe_says_so(folder):
    (folder / "images").mkdir()
    spec = parse_spec(raw(network="lenet5", data="folder:images"), folder)
    assert (spec.recipe.pad, spec.recipe.flip) == (0, "none")
    assert (spec.data.name, spec.data.folder) == ("folder:images", str(folder / "images"))
    augmented = parse_spec(raw(network="lenet5", data="folder:images", recipe={"pad": 2}), folder)
    assert (augmented.recipe.pad, augmented.recipe.flip) == (2, "none")


FAULTS = {
    "no module": ({"network": "mine:net"}, "mine:net: no module 'mine'; expected .*/mine.py"),
    "no function": ({"network": "nets.own:nett"}, "nets.own has no 'nett'; did you mean net?"),
    "no option": (
        {"network": "nets.own:needs", "network_options": {"size": 1, "sise": 2}},
        "network_options.sise: no option of nets.own:needs; did you mean size?",
    ),
    "an option missing": (
        {"network": "nets.own:needs"},
        "network_options.size: missing, and nets.own:needs has no default for it",
    ),
    "no function but a module": ({"network": "nets.own:blocks"}, "is no function; got module"),
    "two meanings": (
        {"network": "torchvision:vgg11", "replace": ["ReLU"], "network_options": {"s": 1},
         "space": {"s": {"grid": [3, 5]}}},
        "space.s: the network has it, and so has polyneuron_r; write network.s",
    ),
    "options of ours": (
        {"network": "lenet5", "network_options": {"width": 3}},
        "network.options: only a network that is not ours has any, .*; got lenet5",
    ),
    "options twice": (
        {"network": {"name": "nets.own:net", "options": {}}, "network_options": {}},
        "network_options: network.options says it already; keep one of them",
    ),
    "no such parameter": (
        {"space": {"network.wdth": {"grid": [1]}}},
        "space.network.wdth: no option of the network 'wdth'; did you mean width?",
    ),
    "a notebook's function": ({"network": "__main__:net"}, "put the function into a file"),
}  # fmt: skip


@pytest.mark.parametrize("case", FAULTS)
def test_a_fault_is_one_or_two_lines_that_name_it(case, folder):
    changes, message = FAULTS[case]
    with pytest.raises(SpecError, match=message) as refusal:
        check(parse_spec(raw(**changes), folder))
    assert len(str(refusal.value).splitlines()) <= 2


def test_a_module_that_fails_is_named_with_its_line(folder):
    (folder / "broken.py").write_text("import os\n\nos.nothing()\n")
    with pytest.raises(SpecError, match=r"broken:net: importing it fails: .*broken.py:3\)$"):
        parse_spec(raw(network="broken:net"), folder)
    (folder / "typo.py").write_text("def net(:\n")
    with pytest.raises(SpecError, match=r"typo.py:1: "):
        parse_spec(raw(network="typo:net"), folder)


def test_a_failure_names_the_last_line_of_the_users_own_code(folder):
    path = folder / "fails.py"
    path.write_text("import json\n\ndef f():\n    json.loads('{')\n")
    OwnModules("fails:f", folder).use()
    function = imported("fails:f")
    with pytest.raises(ValueError, match="Expecting") as caught:
        function()
    assert failure(caught.value).endswith(f"({path}:4)")


def test_modules_beside_a_specification_are_found(folder, monkeypatch):
    monkeypatch.chdir(Path("/"))
    (folder / "own.yaml").write_text("network: nets.own:net\ndata: digits\nsearch: grid\n")
    assert load_spec(str(folder / "own.yaml")).network.code
