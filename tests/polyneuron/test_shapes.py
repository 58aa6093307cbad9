"""Signatures state shapes, and every call in these tests is held to them."""

import inspect
import re

import pytest
import torch
from torch import Tensor

import polyneuron
from polyneuron import Activation, basis, basis_derivative, solve_coefficients
from polyneuron.system import raise_if_singular

shape_checks = pytest.importorskip("shape_checks", reason="needs the extra `dev`")

SHAPE = re.compile(r"\b(Float|Bool|Shaped)\[Tensor, '[^']*'\]")
ELSEWHERE = (
    *("polyneuron.kernels", "polyneuron.natural_spline", "polyneuron.normalised"),
    "polyneuron.rewriting",
)
"""Modules that state shapes in docstrings: a call of a kernel should not pay for a check, and a
tracer calls a rewritten module on proxies, which have no shape."""


def test_public_functions_state_the_shapes_of_their_tensors(shape_checked: list[str]) -> None:
    found = {}
    for _, label, function in shape_checks.functions("polyneuron"):
        # `kernel` returns parameters whose shapes differ from one activation to the next.
        public = not label.startswith(("_", "test_")) and label != "kernel"
        if public and not function.__module__.startswith(ELSEWHERE):
            texts = function.__annotations__.values()
            found[shape_checks.full_name(function)] = " ".join(str(text) for text in texts)
    with_tensors = {name: text for name, text in found.items() if "Tensor" in text}
    assert "polyneuron.system.solve_coefficients" in with_tensors
    assert "polyneuron.activations.interpolating.Interpolating.coefficients" in with_tensors
    for name, text in with_tensors.items():
        assert "Tensor" not in SHAPE.sub("", text), name
        assert name in shape_checked


def test_a_wrong_dtype_is_a_type_error() -> None:
    with pytest.raises(TypeError, match=r"^In basis_derivative: r .*Float\[Tensor, '\*r'\]"):
        basis_derivative(torch.arange(3), 1)


def test_shapes_that_do_not_fit_each_other_are_a_type_error() -> None:
    with pytest.raises(TypeError, match=r"(?s)^In raise_if_singular: c_y .* s is 4 which does not"):
        raise_if_singular(torch.zeros(2, dtype=torch.bool), torch.zeros(2, 3), torch.zeros(2, 4), 3)


def test_a_result_of_the_wrong_shape_is_a_type_error() -> None:
    class Sum(Activation):
        def _response(self, x: Tensor) -> Tensor:
            return x.sum()

    with pytest.raises(TypeError, match=r"^In Activation\.forward: return .*\*x"):
        Sum()(torch.zeros(3))


def test_what_a_function_refuses_itself_is_its_own_error() -> None:
    with pytest.raises(ValueError, match="c_x and c_y must have the same shape"):
        solve_coefficients(torch.zeros(3), torch.zeros(4), 3)


def test_the_packages_own_names_are_the_checked_ones() -> None:
    from polyneuron import system

    assert polyneuron.solve_coefficients is system.solve_coefficients
    assert inspect.unwrap(basis) is not basis
