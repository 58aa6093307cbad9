"""Python source as syntax trees: what is executed, and a hash of that alone."""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Iterator
from typing import Any

_UNSEEN = ("kind", "type_comment", "ctx", "type_params")
"""Fields of syntax trees that say nothing more, or that not every version of Python has."""


def hash_of(tree: ast.Module) -> str:
    """Return twelve hex digits that change with the code, not with comments or layout.

    They are the same in every version of Python.
    """
    words: list[str] = []
    _describe(tree, words)
    return digest("\n".join(words).encode())


def digest(content: bytes) -> str:
    """Return twelve hex digits of the hash of bytes."""
    return hashlib.sha256(content).hexdigest()[:12]


def executed(tree: ast.AST) -> Iterator[ast.AST]:
    """Yield the nodes of a tree without the imports that only type checkers see."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            continue
        yield node
        yield from executed(node)


def _describe(value: Any, words: list[str]) -> None:
    """Append a syntax tree as words, which are the same in every version of Python."""
    if isinstance(value, ast.AST):
        words.append(type(value).__name__)
        for name in value._fields:
            inner = getattr(value, name, None)
            if name in _UNSEEN or inner is None or inner == []:
                continue
            words.append(name)
            _describe(_without_docstring(value, inner) if name == "body" else inner, words)
    elif isinstance(value, list):
        words.append(str(len(value)))
        for item in value:
            _describe(item, words)
    else:
        words.append(repr(value))


def _without_docstring(owner: ast.AST, body: Any) -> Any:
    """Return statements without texts that stand alone: docstrings of functions and fields."""
    if not isinstance(body, list):
        return body
    return [
        one
        for one in body
        if not (isinstance(one, ast.Expr) and isinstance(one.value, ast.Constant))
    ]
