"""The limit of open files: raised as far as the hard limit allows, and reported where that is too little.

libzmq ends a process that gets no descriptor, without a message.
"""

import resource
import sys

from switchboard.settings.model import Settings
from switchboard.settings.types import parse_listening

WANTED = 4096
_OF_A_PROCESS, _OF_A_ROUTER = 192, 8
"""A parent of all components has 82 and 5 a router, edge-rx 25 and 3 (Linux, libzmq 4.3.5); each command that asks, one
more at whoever it asks."""
_OF_THE_CONSOLE = 256
_BESIDES = 512
"""Files of a process with connections, besides these."""
_OF_A_COMMAND, _OF_A_ASKED_ROUTER = 64, 4


def needed_to_serve(settings: Settings) -> int:
    """What each process of a switchboard may come to need."""
    console = _OF_THE_CONSOLE if parse_listening(settings.console) else 0
    return _OF_A_PROCESS + _OF_A_ROUTER * settings.routers + console


def needed_to_ask(settings: Settings) -> int:
    """What a command needs that asks a running one."""
    return _OF_A_COMMAND + _OF_A_ASKED_ROUTER * settings.routers


def most_connections(wanted: int) -> int:
    """How many of `wanted` connections a process may have, besides what else it needs; the soft limit is raised."""
    allow_files(wanted + WANTED)
    soft = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return wanted if soft == resource.RLIM_INFINITY else max(1, min(wanted, soft - _BESIDES))


def hard_limit() -> int:
    """How many files a process may be allowed to open."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    return sys.maxsize if hard == resource.RLIM_INFINITY else hard


def allow_files(needed: int) -> str:
    """Raise the soft limit; why `needed` files cannot be had and what to do, for people, or ""."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = min(hard_limit(), max(needed, WANTED))
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    if hard_limit() >= needed:
        return ""
    return (
        f"A process may have {hard} files open here, and {needed} are needed. Raise the hard limit: "
        f"`ulimit -Hn {WANTED}` as root, LimitNOFILE= of systemd, or nofile in /etc/security/limits.conf"
    )
