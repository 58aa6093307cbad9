"""A view that is redrawn in place, in a real kernel of Jupyter and in a terminal."""

import io
import sys
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from rich.live import Live

from sweeps.view.in_place import as_html, in_place

ROOT = Path(__file__).parents[3]
DRAWN = """
from sweeps.view.in_place import in_place, python_console
state = ["first <b>"]
shown = in_place(python_console(), lambda: state[0])
shown.start()
state[0] = "too soon"
shown.refresh()
state[0] = "last"
shown.stop()
"""


@pytest.fixture(scope="module")
def kernel(tmp_path_factory: pytest.TempPathFactory):
    """Run code in a kernel; return the messages that a notebook would get."""
    manager_module = pytest.importorskip("jupyter_client.manager")
    pytest.importorskip("ipykernel")
    manager, client = manager_module.start_new_kernel(
        kernel_name="python3", cwd=str(tmp_path_factory.mktemp("notebook"))
    )

    def execute(code: str) -> list[dict[str, Any]]:
        messages: list[dict[str, Any]] = []
        client.execute_interactive(code, timeout=120, output_hook=messages.append)
        return [one for one in messages if one["msg_type"] not in ("status", "execute_input")]

    execute(f"import sys; sys.path.insert(0, {str(ROOT)!r})")
    yield execute
    client.stop_channels()
    manager.shutdown_kernel(now=True)


def test_a_notebook_has_one_output_that_is_replaced(kernel) -> None:
    first, last = kernel(DRAWN)
    assert (first["msg_type"], last["msg_type"]) == ("display_data", "update_display_data")
    ids = {one["content"]["transient"]["display_id"] for one in (first, last)}
    assert len(ids) == 1
    assert "first &lt;b&gt;" in first["content"]["data"]["text/html"]
    assert "last" in last["content"]["data"]["text/html"]


def test_a_notebook_gets_no_signs_of_a_terminal(kernel) -> None:
    code = """
from sweeps.view.in_place import python_console
console = python_console()
with console.status("starting"):
    console.print("trial 0 completed")
"""
    assert [one["content"].get("text") for one in kernel(code)] == ["trial 0 completed\n"]


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("import analysis; analysis.load('nowhere')", "StoreError: no sweeps in nowhere yet"),
        ("import sweeps; sweeps.run({'netwrk': 1})", "SpecError: "),
        (
            "import sweeps; sweeps.run({'name': 'x', 'search': 'grid', 'data': 'cifar10'})",
            "NoDataError: ",
        ),
    ],
)
def test_a_users_error_is_a_message_without_a_traceback(kernel, code: str, message: str) -> None:
    kernel("import os; os.environ['SWEEPS_DATA'] = 'no-data'")
    error = [one for one in kernel(code) if one["msg_type"] == "error"][-1]["content"]
    assert len(error["traceback"]) == 1
    assert error["traceback"][0].startswith(message)


def test_a_terminal_is_redrawn_and_a_log_is_not() -> None:
    terminal = Console(file=io.StringIO(), force_terminal=True)
    assert isinstance(in_place(terminal, str), Live)
    assert in_place(Console(file=io.StringIO()), str) is None
    assert in_place(Console(file=io.StringIO(), force_terminal=True, quiet=True), str) is None
    assert "IPython" not in sys.modules or not hasattr(
        sys.modules["IPython"].get_ipython(), "kernel"
    )


def test_html_keeps_columns_and_escapes() -> None:
    page = as_html("a   b <script>")
    assert "a   b &lt;script&gt;" in page
    assert page.startswith("<pre")
