"""HEP3 packets as a decoder of other people reads them: Kamailio's module sipcapture."""

import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from history.wire import CALL_ID, call
from system.harness import free_port, wait_until
from system.tools import require_tools

from switchboard.history.export import HepSender
from switchboard.history.seen import Address, Direction, Seen

pytestmark = pytest.mark.system
HOST = "127.0.0.1"
CONFIGURATION = """
log_stderror=yes
fork=no
children=1
disable_tcp=yes
loadmodule "xlog.so"
loadmodule "pv.so"
loadmodule "db_text.so"
loadmodule "sipcapture.so"
modparam("sipcapture", "db_url", "text://{directory}")
modparam("sipcapture", "capture_on", 1)
modparam("sipcapture", "hep_capture_on", 1)
request_route {{ xerr("decoded $rm $si $sp $ci\\n"); drop; }}
onreply_route {{ xerr("decoded $rs $si $sp $ci\\n"); drop; }}
"""


@contextmanager
def collector(directory: Path) -> Iterator[tuple[str, Path]]:
    """A Kamailio that takes HEP: where, and its log."""
    require_tools("kamailio")
    port = free_port(HOST)
    configuration, log = directory / "kamailio.cfg", directory / "log"
    configuration.write_text(CONFIGURATION.format(directory=directory))
    (directory / "version").write_text("table_name(string) table_version(int)\n")
    command = ["kamailio", "-f", str(configuration), "-DD", "-E", "-l", f"udp:{HOST}:{port}"]
    with log.open("wb") as output, subprocess.Popen(command, stdout=output, stderr=output) as process:
        try:
            yield f"{HOST}:{port}", log
        finally:
            process.terminate()


def decoded(log: Path) -> list[list[str]]:
    """Method or status, source's host and port, and Call-ID of each message."""
    lines = log.read_text().splitlines()
    return [line.partition("decoded ")[2].split() for line in lines if "decoded " in line]


def expected(seen: Seen) -> list[str]:
    first, second, *_ = seen.raw.split(b" ", 2)
    label = second if seen.raw.startswith(b"SIP/") else first
    return [label.decode(), seen.source.host, str(seen.source.port), CALL_ID]


def test_kamailio_reads_what_we_send_to_a_collector(tmp_path: Path) -> None:
    first = call()[0]
    six = first._replace(source=Address("2001:db8::2", 5062), destination=Address("2001:db8::1", 5060))
    sent = [*call(), six]
    with collector(tmp_path) as (where, log), closing(HepSender(where)) as sender:

        def arrives() -> bool:
            """Sent again until it listens."""
            sender.send(first._replace(direction=Direction.IN), CALL_ID)
            return bool(decoded(log))

        wait_until(arrives, "the first message at the collector")
        for seen in sent:
            sender.send(seen, CALL_ID)
        wait_until(lambda: decoded(log)[-1:] == [expected(six)], "the last message at the collector")
        assert sender.stats()["hep.dropped"] == 0
        assert decoded(log)[-len(sent) :] == [expected(seen) for seen in sent]
