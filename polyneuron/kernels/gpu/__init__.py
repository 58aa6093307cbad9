"""Triton: the backend for a GPU, and the device code that all functions share.

Import it only where Triton is. Block sizes are reasoned for an H100 (`layout`), not tuned.
`TRITON_INTERPRET=1`, set before Triton is first imported, runs the same kernels on a CPU.

`skeleton`, `moments`, `members`, `registers` and each function's `device` hold device code. It is
Triton's language, where a static `if` with `return` or a starred tuple does not compile, and which
mypy cannot check.
"""
