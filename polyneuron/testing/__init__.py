"""The tests that an activation of one's own should pass; needs pytest.

In a test file, this runs them all on a class:

    from polyneuron.testing import ActivationContract

    class TestMine(ActivationContract):
        def make(self, channels):
            return Mine(channels)

`make = Mine` is enough for a class whose first argument is `channels`.
"""

import pytest

# Before the import: pytest then shows the values of a failed assert, as in a test file.
pytest.register_assert_rewrite("polyneuron.testing.activation_contract")

from polyneuron.testing.activation_contract import ActivationContract  # noqa: E402

__all__ = ["ActivationContract"]
