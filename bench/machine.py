"""The machine that a bench ran on, in one line."""

import os
import platform
from pathlib import Path

import psutil

from switchboard.twins import interpreter


def describe_machine() -> str:
    """Processor, cores, memory, operating system, Python."""
    memory_gb = psutil.virtual_memory().total / 2**30
    return (
        f"{_processor()}, {os.cpu_count()} cores, {memory_gb:.0f} GB; "
        f"{platform.system()} {platform.release()}; {interpreter()}"
    )


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        name, _, value = line.partition(":")
        if name.strip() == "model name":
            return value.strip()
    return platform.machine()
