"""The registry: one folder a function, and nothing else to enter it in."""

from pathlib import Path

import pytest
import torch

import polyneuron.kernels
from polyneuron.kernels.functions import FAMILIES, FUNCTIONS, named
from polyneuron.kernels.radial.formula import radial

KERNELS = Path(polyneuron.kernels.__file__).parent


def test_every_folder_with_a_formula_is_a_function() -> None:
    assert {path.parent.name for path in KERNELS.glob("*/formula.py")} == set(FAMILIES)


@pytest.mark.parametrize("family", FAMILIES)
def test_a_folder_holds_formula_triton_and_cpp(family: str) -> None:
    function = FUNCTIONS[family]
    assert function.family == family
    assert (KERNELS / family / "device.py").is_file()
    source = (KERNELS / family / f"{family}.hpp").read_text()
    assert function.cpp(3).split("<")[0] in source


@pytest.mark.parametrize("family", FAMILIES)
def test_a_name_leads_to_its_function(family: str) -> None:
    assert named(family) is FUNCTIONS[family]


def test_a_name_with_an_order_leads_to_the_member_of_its_family() -> None:
    assert named("radial12") is radial(12) is radial(12)
    assert radial(12).cpp(5) == "Radial<5, 12>"


@pytest.mark.parametrize("name", ["tanh", "tanh3", ""])
def test_unknown_function(name: str) -> None:
    with pytest.raises(ValueError, match=f"unknown function '{name}'; known: radial, hermite"):
        named(name)
    with pytest.raises(ValueError, match="unknown function"):
        torch.ops.polyneuron.activate(torch.zeros(3), [torch.ones(1)], name)
