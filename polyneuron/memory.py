"""Memory of a training loop on a CPU."""

import ctypes


def keep_freed_memory() -> None:
    """Let the C library keep freed memory for what is allocated next, on Linux.

    By default glibc hands large blocks back to the system. A training step then asks for the same
    blocks again, and each of their pages is a page fault. The setting is the process's, holds until
    it ends, and costs the memory that the process has once used. The trainer of this project calls
    it; call it once in a loop of your own.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        m_trim_threshold, m_mmap_threshold = -1, -3
        mallopt(m_trim_threshold, 2**31 - 1)
        mallopt(m_mmap_threshold, 32 * 2**20)  # the largest that glibc accepts
