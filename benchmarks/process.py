"""What Linux tells of a process, in /proc."""

import os
from collections.abc import Iterator
from pathlib import Path

_PROC = Path("/proc")
_MODULE = b"local.host.worker"


def worker() -> int:
    """The process id of the one worker that this process started. Raises ValueError unless there is exactly one."""
    [found] = _workers()
    return found


def processor_seconds(pid: int) -> float:
    """What the process has used of processors so far."""
    user, system = _fields(pid)[11:13]
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


def peak_memory(pid: int) -> int:
    """The most bytes that were resident at once."""
    lines = (_PROC / str(pid) / "status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM:"))


def memory(pid: int) -> int:
    """The bytes that are resident now."""
    lines = (_PROC / str(pid) / "status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmRSS:"))


def _workers() -> Iterator[int]:
    for directory in _PROC.glob("[0-9]*"):
        try:
            parent = int(_fields(int(directory.name))[1])
            command = (directory / "cmdline").read_bytes()
        except (FileNotFoundError, ProcessLookupError):
            continue  # it ended while we looked
        if parent == os.getpid() and _MODULE in command.split(b"\0"):
            yield int(directory.name)


def _fields(pid: int) -> list[str]:
    """The fields of `stat` behind the name, which alone may hold blanks."""
    return (_PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
