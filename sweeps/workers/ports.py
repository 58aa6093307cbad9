"""Ports on which processes of this machine listen, as Linux lists them in /proc."""

from __future__ import annotations

import contextlib
import ipaddress
import socket
import struct
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

LISTENING = "0A"
"""The state of a listening socket in /proc/net/tcp."""
PROC = Path("/proc")


@dataclass(frozen=True)
class Port:
    """A port on which a process listens."""

    number: int
    process: str
    """The process's name."""
    pid: int
    address: str
    """The address that it is bound to; 0.0.0.0 and :: are every address of this machine."""

    @property
    def local(self) -> bool:
        """True where this machine alone reaches it."""
        return ipaddress.ip_address(self.address).is_loopback


def ports_of(pid: int) -> list[Port]:
    """List the ports of a process and of all that it started, by process and number."""
    sockets = dict(_listening())
    found = []
    for member in sorted(descendants(pid)):
        with contextlib.suppress(OSError):  # it has ended meanwhile
            name = (PROC / str(member) / "comm").read_text().strip()
            links = [link.readlink().name for link in (PROC / str(member) / "fd").iterdir()]
            inodes = {link[8:-1] for link in links if link.startswith("socket:[")}
            found += [
                Port(number, name, member, address)
                for inode in inodes & sockets.keys()
                for address, number in [sockets[inode]]
            ]
    return sorted(set(found), key=lambda port: (port.pid, port.number))


def _listening() -> Iterator[tuple[str, tuple[str, int]]]:
    """Yield the inode, address and port of every listening socket."""
    for table in ("tcp", "tcp6"):
        with contextlib.suppress(OSError):
            for line in (PROC / "net" / table).read_text().splitlines()[1:]:
                fields = line.split()
                if fields[3] == LISTENING:
                    address, _, port = fields[1].partition(":")
                    yield fields[9], (_address(address), int(port, 16))


def _address(digits: str) -> str:
    """Read an address that Linux prints as words of 32 bits, each in the processor's order."""
    words = [int(digits[at : at + 8], 16) for at in range(0, len(digits), 8)]
    packed = struct.pack(f"={len(words)}I", *words)
    return socket.inet_ntop(socket.AF_INET if len(words) == 1 else socket.AF_INET6, packed)


def descendants(pid: int) -> set[int]:
    """List a process and all that it started, and those in turn."""
    children = defaultdict(list)
    for folder in PROC.glob("[0-9]*"):
        with contextlib.suppress(OSError):
            # The second field, a name in brackets, may hold spaces.
            fields = (folder / "stat").read_text().rpartition(")")[2].split()
            children[int(fields[1])].append(int(folder.name))
    family = [pid]
    for member in family:
        family += children[member]
    return set(family)
