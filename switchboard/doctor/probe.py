"""Gathers the facts (I/O rim): asks the system, changes nothing; a UDP port is bound for a moment at most."""

import ctypes
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from ipaddress import ip_interface
from itertools import islice
from pathlib import Path

import psutil
import zmq

from switchboard.auth.user_store import read_page
from switchboard.bus.context import SECRET, BusContext
from switchboard.bus.rpc import RpcError
from switchboard.clock import current_doubt
from switchboard.doctor.facts import MachineFacts, NetworkCard, NetworkFacts, RunningFacts, Taken
from switchboard.journal.shipping import WAITING
from switchboard.registrar.listing import doubt_of, read_pages, way_of
from switchboard.settings.ask import ask_registrar
from switchboard.settings.local import interfaces, own_addresses
from switchboard.settings.model import Settings
from switchboard.settings.run_dir import NOWHERE
from switchboard.settings.site import (
    advertised,
    edge_here,
    edges,
    is_here,
    leaving_routers,
    router_dir,
)
from switchboard.storage.mending import all_reports
from switchboard.storage.unusable import UnusableFile
from switchboard.storage.writing import ERROR, words_of
from switchboard.supervisor.open_files import hard_limit, needed_to_serve
from switchboard.survey.ask import ask_parents, ask_workers, failing_phones, name_of
from switchboard.survey.ping import NobodyListens, ping
from switchboard.survey.reach import silent_contacts
from switchboard.survey.reading import UP
from switchboard.transports.tls_files import (
    TlsFileError,
    doubts,
    files_of,
    promised_names,
    read_identity,
)
from switchboard.transports.udp_sockets import BindError, PortTaken, bind_sockets, cut, enlarge_buffers
from switchboard.twins import described_core

ANSWERED_WITHIN_S = 2.0
COMMAND_WITHIN_S = 5.0
_TIMEX_BYTES = 512
"""More than any `struct timex` has; all zero, it asks and sets nothing."""
_TIME_ERROR = 5
_CONTAINERS = {"/.dockerenv": "Docker", "/run/.containerenv": "Podman"}
_FIREWALLS = {"ufw": "/etc/ufw/ufw.conf", "firewalld": "/run/firewalld"}
_RULES = {"nftables": ("nft", "list", "ruleset"), "iptables": ("iptables", "-S")}
_CLOSING = ("policy drop", "-P INPUT DROP", "drop", "reject", "-j DROP", "-j REJECT")


def network_facts(settings: Settings, edge_runs: bool) -> NetworkFacts:
    """The way from the phones to the edge. Unless `edge_runs`, its port is tried."""
    taken, bind_failure = (None, "") if edge_runs else _try_port(settings)
    firewall, rules = _firewall()
    ports = [f"{port}/{'udp' if name == 'udp' else 'tcp'}" for name, port in settings.ports.items()]
    return NetworkFacts(
        host=settings.sip_host,
        port=settings.sip_port,
        cards=_cards(settings),
        domains=_resolve([each for each in settings.domains if not each.startswith("[")]),
        taken=taken,
        bind_failure=bind_failure,
        container=next((kind for path, kind in _CONTAINERS.items() if Path(path).exists()), ""),
        firewall=firewall,
        ports=ports,
        unnamed=None if rules is None else [each for each in ports if each.split("/")[0] not in rules],
        advertised=advertised(settings),
    )


def machine_facts(settings: Settings) -> MachineFacts:
    """The machine and the directories."""
    withheld, granted = _buffer(settings.receive_buffer_bytes)
    tls_problem, tls_doubts, tls_until = _tls(settings)
    return MachineFacts(
        tls_problem=tls_problem,
        tls_doubts=tls_doubts,
        tls_until=tls_until,
        clock_synchronized=_clock_synchronized(),
        leaving=[
            path for number in leaving_routers(settings) if (path := router_dir(number, settings)).exists()
        ],
        clock_doubt=current_doubt(settings.data_dir),
        buffer_cut=withheld,
        buffer_bytes=granted,
        open_files=hard_limit(),
        files_needed=needed_to_serve(settings),
        python=sys.version_info[:3],
        libzmq=zmq.zmq_version_info(),
        core=described_core(),
        data_dir=settings.data_dir,
        data_dir_failure=_directory_failure(settings.data_dir) or _run_dir_failure(settings.run_dir),
        open_to_others=[each for each in _private_paths(settings) if _is_open(each)],
        disk_free_bytes=shutil.disk_usage(_nearest(settings.data_dir)).free,
        damaged=[str(each) for each in all_reports(settings.data_dir)],
        lacks_users=settings.auth == "on" and is_here("registrar.0", settings) and not _has_users(settings),
    )


def _tls(settings: Settings) -> tuple[str, list[str], str]:
    """Why the certificate cannot be used, why phones might refuse it, and when it ends."""
    serves_phones = settings.has_tls and edge_here(settings) is not None
    if not serves_phones and not (settings.console_has_tls and is_here("console.0", settings)):
        return "", [], ""
    try:
        found = read_identity(files_of(settings))
    except TlsFileError as error:
        return str(error).rstrip("."), [], ""
    told = list(doubts(found, promised_names(settings), datetime.now(UTC)))
    return "", told, f"{found.not_after:%Y-%m-%d}"


def _has_users(settings: Settings) -> bool:
    try:
        page = read_page(settings.users_path, 0, -1)
    except UnusableFile:
        return False
    return page is not None and any(not each.is_removed for each in page.records)


def running_facts(settings: Settings, context: BusContext) -> RunningFacts:
    """What the parents say, and whether phones get an answer."""
    workers = ask_parents(context, settings)
    addresses = own_addresses(settings)
    address = next((each for each in addresses if each.startswith("127.")), addresses[0])
    not_up = [name_of(each) for each in workers if each["state"] != UP]
    silent = silent_contacts(settings, context) if len(not_up) < len(workers) else []
    counters = ask_workers(context, settings, workers, "stats")
    return RunningFacts(
        silent=[f"{user} at {contact}" for user, contact, _ in silent[:MOST_DOUBTFUL]],
        silent_in_all=len(silent),
        workers=len(workers),
        not_up=not_up,
        why_not=[f"{name_of(each)}: {each['why']}" for each in workers if each.get("why")],
        address=address,
        port=settings.sip_port,
        answer_s=_ping(address, settings.sip_port) if len(not_up) < len(workers) else None,
        failing=[
            (each, settings.algorithms_of(each.user)) for each in failing_phones(settings, context, workers)
        ],
        cannot_write=[
            f"{name} is up, but cannot write: {words_of(round(counted[ERROR]))}"
            for name, counted in counters.items()
            if counted.get(ERROR)
        ],
        presence=counters.get("presence.0"),
        to_ship=counters.get("journal.0", {}).get(WAITING),
        doubtful=list(islice(_doubtful(settings, context), MOST_DOUBTFUL))
        if len(not_up) < len(workers)
        else (),
    )


MOST_DOUBTFUL = 5


def _doubtful(settings: Settings, context: BusContext) -> Iterator[str]:
    try:
        for user, bound in read_pages(
            lambda body: ask_registrar(settings, context, "location.list", body, ANSWERED_WITHIN_S)
        ):
            for each in bound:
                if doubt := doubt_of(each["contact_uri"], each["source"], way_of(each)[1]):
                    yield f"{user} registers from {each['source']}, and its {doubt}"
    except RpcError:
        return


def _ping(address: str, port: int) -> float | None:
    try:
        return ping(address, port, ANSWERED_WITHIN_S)
    except NobodyListens:
        return None


def _try_port(settings: Settings) -> tuple[Taken | None, str]:
    try:
        sockets = bind_sockets(settings.sip_host, settings.sip_port)
    except PortTaken as taken:
        return Taken(taken.pid, taken.command), ""
    except BindError as error:
        return None, str(error)
    for sock in sockets:
        sock.close()
    return None, ""


def _cards(settings: Settings) -> list[NetworkCard]:
    """The addresses of `interfaces`, with the names of their network interfaces; of several edges what is ours."""
    is_told_apart = len(edges(settings)) > 1
    ours = own_addresses(settings)
    names = {
        address.address.partition("%")[0]: name
        for name, addresses in psutil.net_if_addrs().items()
        for address in addresses
    }
    return [
        NetworkCard(names.get(str(each.ip), ""), ip_interface(each))
        for each in interfaces()
        if not is_told_apart or str(each.ip) in ours
    ]


def _resolve(domains: Sequence[str]) -> Mapping[str, Sequence[str]]:
    """The addresses of each domain; none of one that nobody knows."""
    with ThreadPoolExecutor(max_workers=8) as pool:
        return dict(zip(domains, pool.map(_addresses_of, domains), strict=True))


def _addresses_of(domain: str) -> list[str]:
    try:
        answers = socket.getaddrinfo(domain, None, type=socket.SOCK_DGRAM)
    except OSError:
        return []
    return sorted({str(address[0]) for *_, address in answers})


def _firewall() -> tuple[str, str | None]:
    """The active firewall and its rules; None if they cannot be read."""
    for name, path in _FIREWALLS.items():
        if Path(path).exists() and (name != "ufw" or "ENABLED=yes" in _text(Path(path))):
            return name, _rules("nftables") or _rules("iptables")
    for name in _RULES:
        rules = _rules(name)
        if rules and any(word in rules for word in _CLOSING):
            return name, rules
    return "", ""


def _rules(name: str) -> str | None:
    command = _RULES[name]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=COMMAND_WITHIN_S, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout if done.returncode == 0 else None


def _text(path: Path) -> str:
    try:
        return path.read_text(errors="replace")
    except OSError:
        return ""


def _clock_synchronized() -> bool | None:
    """adjtimex(2): the kernel knows whether somebody disciplines its clock. None where it is not asked."""
    if sys.platform != "linux":
        return None
    state = ctypes.CDLL(None).adjtimex(ctypes.create_string_buffer(_TIMEX_BYTES))
    return None if state < 0 else state != _TIME_ERROR


def _buffer(wanted: int) -> tuple[str, int]:
    """What the kernel withholds of a receive buffer, in words, and what it was asked for."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        enlarge_buffers(sock, wanted)
        return cut(sock, wanted), wanted


def _directory_failure(path: Path) -> str:
    """Why the directory could not be made or written to; "" if it can."""
    if path.is_dir():
        return "" if os.access(path, os.R_OK | os.W_OK | os.X_OK) else f"{path} cannot be written"
    if path.exists():
        return f"{path} is no directory"
    parent = _nearest(path)
    return "" if os.access(parent, os.W_OK | os.X_OK) else f"{path} cannot be made: {parent} is not ours"


def _run_dir_failure(path: Path) -> str:
    return "" if path == NOWHERE else _directory_failure(path)


def _nearest(path: Path) -> Path:
    """The path itself, or the first above it that exists."""
    return next(each for each in (path, *path.parents) if each.exists())


def _private_paths(settings: Settings) -> list[Path]:
    """Directories and secret files. The public keys, and what lies in a closed directory, are safe anyway."""
    directories = (settings.data_dir, settings.run_dir, settings.keys_path)
    names = (
        settings.auth_key_path,
        settings.console_key_path,
        settings.users_path,
        settings.rules_path,
        settings.messages_path,
    )
    copies = settings.data_dir.glob("users-*.db")
    secrets = [*names, *copies, *settings.keys_path.glob(f"*{SECRET}")]
    return [each for each in (*directories, *dict.fromkeys(secrets)) if each.exists()]


def _is_open(path: Path) -> bool:
    return bool(path.stat().st_mode & 0o077)
