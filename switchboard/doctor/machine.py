"""What the doctor thinks of this machine and of the switchboard that runs on it."""

from collections.abc import Iterator

from switchboard.auth.failures import advise, describe
from switchboard.doctor.facts import Finding, MachineFacts, RunningFacts, ok, problem, warning
from switchboard.twins import COMPILING, PURE

OLDEST_PYTHON = (3, 11, 0)
OLDEST_LIBZMQ = (4, 3, 0)
LITTLE_DISK_BYTES = 1_000_000_000
NO_DISK_BYTES = 100_000_000


def check_machine(facts: MachineFacts) -> Iterator[Finding]:
    """All of them."""
    yield check_clock(facts)
    yield check_buffer(facts)
    yield check_open_files(facts)
    yield from check_versions(facts)
    yield from check_directories(facts)
    yield from check_routers(facts)
    yield check_disk(facts)
    yield from check_files(facts)
    yield from check_tls(facts)


def check_clock(facts: MachineFacts) -> Finding:
    """The wall clock is kept right: records, logs and expiries depend on it."""
    if facts.clock_doubt:
        return warning(
            "clock",
            f"when this machine started it was {facts.clock_doubt}",
            "see that the clock is right (timedatectl); registrations of before are kept for some minutes",
        )
    if facts.clock_synchronized is None:
        return ok("clock", "this system does not tell whether its clock is kept right")
    if facts.clock_synchronized:
        return ok("clock", "it is synchronized")
    return warning(
        "clock",
        "nothing keeps it right: times in journal and logs will drift",
        "install chrony, or enable systemd-timesyncd (timedatectl set-ntp true)",
    )


def check_buffer(facts: MachineFacts) -> Finding:
    """The kernel keeps what arrives in a burst."""
    if facts.buffer_cut:
        line = f"net.core.rmem_max = {facts.buffer_bytes}"
        return warning(
            "buffers", facts.buffer_cut, f"to keep it so: {line} in /etc/sysctl.d/switchboard.conf"
        )
    return ok("buffers", f"{facts.buffer_bytes} bytes for arriving datagrams, as the settings want")


def check_open_files(facts: MachineFacts) -> Finding:
    """Sockets and files fit the limit."""
    if facts.open_files < facts.files_needed:
        return problem(
            "files",
            f"a process may open {facts.open_files} files, and {facts.files_needed} may be needed",
            "raise the hard limit: ulimit -Hn 4096 as root, or LimitNOFILE= of systemd",
        )
    return ok("files", f"a process may open {facts.open_files}, at most {facts.files_needed} are needed")


def check_versions(facts: MachineFacts) -> Iterator[Finding]:
    """Python, libzmq, and the compiled core."""
    python, libzmq = (".".join(map(str, each)) for each in (facts.python, facts.libzmq))
    if facts.python < OLDEST_PYTHON:
        yield problem("versions", f"Python {python} is too old", "install Python 3.11 or newer")
    elif facts.libzmq < OLDEST_LIBZMQ:
        yield problem("versions", f"libzmq {libzmq} is too old", "pip install --upgrade pyzmq")
    else:
        yield ok("versions", f"Python {python}, libzmq {libzmq}")
    yield check_core(facts)


def check_core(facts: MachineFacts) -> Finding:
    """The hot path is compiled, or will be."""
    if facts.core == "compiled core":
        return ok("core", "it is compiled")
    if COMPILING in facts.core:
        return ok("core", f"{facts.core}: it will be taken over without a restart of yours")
    remedy = "install a C compiler and Python's headers (Debian: gcc libc6-dev python3-dev), then make core"
    if PURE in facts.core:
        remedy = f"take {PURE} out of the environment, and start again"
    return warning("core", f"{facts.core}: all works, at a fraction of the speed", remedy)


def check_directories(facts: MachineFacts) -> Iterator[Finding]:
    """Data and sockets can be written, and are nobody else's to read."""
    if facts.data_dir_failure:
        yield problem(
            "data", facts.data_dir_failure, "make it writable for this user, or choose a SWITCHBOARD_DATA_DIR"
        )
    else:
        yield ok("data", f"{facts.data_dir} can be written")
    if facts.open_to_others:
        paths = " ".join(map(str, facts.open_to_others))
        yield warning("privacy", f"other users of this machine may read {paths}", f"chmod -R go-rwx {paths}")


def check_routers(facts: MachineFacts) -> Iterator[Finding]:
    """Nothing is left of routers that there are no more."""
    if facts.leaving:
        yield warning(
            "routers",
            f"there are fewer than before, and {' '.join(map(str, facts.leaving))} may hold calls and records",
            "let the switchboard run: it finishes them (see switchboard status)",
        )


def check_disk(facts: MachineFacts) -> Finding:
    """There is room for the journal and the logs of the routers."""
    free = f"{facts.disk_free_bytes / 1e9:.1f} GB free for {facts.data_dir}"
    remedy = "make room, or move data_dir to another disk"
    if facts.disk_free_bytes < NO_DISK_BYTES:
        return problem("disk", free, remedy)
    if facts.disk_free_bytes < LITTLE_DISK_BYTES:
        return warning("disk", free, remedy)
    return ok("disk", free)


def check_files(facts: MachineFacts) -> Iterator[Finding]:
    """Nothing was lost of what is on the disk."""
    for each in facts.damaged:
        yield problem("damage", each, "look after the disk (dmesg, smartctl), and do what is said here")
    if facts.lacks_users:
        yield problem(
            "users",
            'auth is "on", and there are no users: nobody can register',
            "switchboard user add NAME, or switchboard restore DIR users",
        )


def check_tls(facts: MachineFacts) -> Iterator[Finding]:
    """The certificate can be used, and phones accept it."""
    remedy = "see switchboard tls show, and docs/SECURITY.md#tls"
    if facts.tls_problem:
        yield problem("tls", facts.tls_problem, remedy)
    for doubt in facts.tls_doubts:
        yield warning("tls", doubt, remedy)
    if facts.tls_until and not (facts.tls_problem or facts.tls_doubts):
        yield ok("tls", f"the certificate is valid until {facts.tls_until}")


def check_running(facts: RunningFacts) -> Iterator[Finding]:
    """Its workers are up, and it answers phones."""
    if not facts.runs:
        yield warning("running", "no switchboard runs with this data directory", "make lab, or honcho start")
        return
    if facts.not_up:
        yield problem(
            "running",
            "; ".join([f"not up: {', '.join(facts.not_up)}", *facts.why_not]),
            "read its log; start what is missing (honcho start, systemctl start switchboard.target)",
        )
    else:
        yield ok("running", f"all {facts.workers} workers are up")
    yield _check_answer(facts)
    for said in facts.cannot_write:
        yield problem("writing", said, "make room, or mend the disk: what waits is then written by itself")
    for binding in facts.doubtful:
        yield warning(
            "contact",
            binding,
            "set the phone's own address in it, or STUN; harmless where both are addresses of the same phone",
        )
    if facts.silent:
        more = facts.silent_in_all - len(facts.silent)
        yield warning(
            "phones",
            f"registered, but no answer to OPTIONS: {', '.join(facts.silent)}{f' and {more} more' if more else ''}",
            "calls to them are lost: are they switched on, in the network, and not behind a firewall?",
        )
    for failing, offered in facts.failing:
        yield warning("password", describe(failing), advise(failing, offered))


def _check_answer(facts: RunningFacts) -> Finding:
    where = f"{facts.address}, UDP port {facts.port}"
    if facts.answer_s is None:
        return problem(
            "answer",
            f"an OPTIONS to {where} gets no answer",
            "see switchboard status, and the firewall of this machine",
        )
    return ok("answer", f"an OPTIONS to {where} is answered in {facts.answer_s * 1000:.1f} ms")
