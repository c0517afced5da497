"""A provider: Debian's Kamailio as a digest registrar that challenges calls, and is busy or forgetful when told."""

import subprocess
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self

import psutil
from system.harness import free_port
from system.tools import require_tools

PASSWORD = "a-long-secret-7"
OUTSIDE = "+421900"
REALM = "provider.example"
CONFIGURATION = """
debug=2
log_stderror=yes
fork=yes
children=2
disable_tcp={no_tcp}
mpath="/usr/lib/x86_64-linux-gnu/kamailio/modules"
loadmodule "tm.so"
loadmodule "sl.so"
loadmodule "rr.so"
loadmodule "pv.so"
loadmodule "textops.so"
loadmodule "siputils.so"
loadmodule "usrloc.so"
loadmodule "registrar.so"
loadmodule "auth.so"
loadmodule "nathelper.so"
modparam("registrar", "received_avp", "$avp(RECEIVED)")
modparam("nathelper", "received_avp", "$avp(RECEIVED)")
modparam("usrloc", "db_mode", 0)
modparam("registrar", "min_expires", {least})
modparam("registrar", "max_expires", {most})
modparam("registrar", "default_expires", {most})
modparam("auth", "nonce_expire", {nonce_s})
modparam("auth", "algorithm", "{algorithm}")
modparam("tm", "fr_timer", {patience_ms})

request_route {{
    if (is_method("REGISTER")) {{
        if ("{busy}" == "yes") {{
            append_to_reply("Retry-After: 1\\r\\n");
            sl_send_reply("503", "Overloaded");
            exit;
        }}
        if (!pv_www_authenticate("{realm}", "{password}", "0")) {{
            www_challenge("{realm}", "1");
            exit;
        }}
        if ("{no_tcp}" == "no") {{
            fix_nated_register();
            set_forward_no_connect();
        }}
        save("location");
        exit;
    }}
    if (has_totag()) {{
        if (loose_route()) t_relay();
        else if (is_method("ACK") && t_check_trans()) t_relay();
        exit;
    }}
    if (is_method("CANCEL")) {{
        if (t_check_trans()) t_relay();
        exit;
    }}
    if (is_method("INVITE")) record_route();
    if ({from_outside}) {{
        if (!lookup("location")) {{
            sl_send_reply("404", "No Such Subscriber");
            exit;
        }}
        if ("{no_tcp}" == "no") set_forward_no_connect();
        t_relay();
        exit;
    }}
    if ("{busy}" == "yes") {{
        sl_send_reply("503", "Overloaded");
        exit;
    }}
    if (!pv_proxy_authenticate("{realm}", "{password}", "0")) {{
        proxy_challenge("{realm}", "1");
        exit;
    }}
    consume_credentials();
    if (!lookup("location")) $du = {to_outside};
    t_relay();
}}
"""


class Provider:
    """Runs inside the `with` block at `host`:`port`. `outside`: address and port of the phone that it leads to, unless
    a number is of somebody who has registered; None: many phones at `host`, and a number is `OUTSIDE` and the port of
    one. `enter`: makes its command one for another network.

    `least_s`, `most_s`: of a registration. `nonce_s`: how long a nonce lasts. `patience_s`: so long it waits for any
    answer to what it passes on. `streams`: it is reached over TCP, too,
    and calls who has registered over that connection only.
    """

    def __init__(
        self,
        directory: Path,
        outside: tuple[str, int] | None,
        host: str = "127.0.0.1",
        *,
        least_s: int = 60,
        most_s: int = 600,
        nonce_s: int = 300,
        algorithm: str = "",
        busy: bool = False,
        patience_s: float = 5.0,
        streams: bool = False,
        port: int = 0,
        enter: Callable[..., list[str]] | None = None,
    ) -> None:
        require_tools("kamailio")
        self.host, self.port = host, port or free_port(host)
        self._enter = enter or _here
        self._directory = directory
        self._words = {
            **(_one_phone(*outside) if outside else _many_phones(host)),
            "least": least_s,
            "most": most_s,
            "nonce_s": nonce_s,
            "algorithm": algorithm,
            "realm": REALM,
            "password": PASSWORD,
            "patience_ms": round(patience_s * 1000),
            "no_tcp": "no" if streams else "yes",
        }
        self._listeners = [f"udp:{self.place}", *([f"tcp:{self.place}"] if streams else [])]
        self._busy = busy
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def place(self) -> str:
        """`host:port`."""
        return f"{self.host}:{self.port}"

    def __enter__(self) -> Self:
        self.start(self._busy)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None:
            error.add_note(self.log())
        self.stop()

    def start(self, busy: bool = False) -> None:
        """Run; `busy`: it answers 503. What it knew of registrations is gone."""
        configuration = self._directory / f"provider-{self.port}.cfg"
        configuration.write_text(CONFIGURATION.format(**self._words, busy="yes" if busy else "no"))
        command = [
            "kamailio", "-f", str(configuration), "-DD", "-E", "-m", "32", "-M", "4",
            *(word for each in self._listeners for word in ("-l", each)), "-Y", str(self._directory),
        ]  # fmt: skip
        with self._log_path.open("ab") as output:
            self._process = subprocess.Popen(self._enter(*command), stdout=output, stderr=output)

    def stop(self) -> None:
        """End it."""
        if self._process is not None:
            self._process.terminate()
            try:
                self._process.wait(10)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
            self._process = None

    def crash(self) -> None:
        """SIGKILL all of it."""
        assert self._process is not None
        whole = psutil.Process(self._process.pid)
        for process in (whole, *whole.children(recursive=True)):
            process.kill()
        self._process.wait()
        self._process = None

    def restart(self, busy: bool = False) -> None:
        """A new process, which knows of nobody."""
        self.stop()
        self.start(busy)

    def log(self) -> str:
        """What it has said."""
        return self._log_path.read_text(errors="replace") if self._log_path.exists() else ""

    @property
    def _log_path(self) -> Path:
        return self._directory / f"provider-{self.port}.log"


def _one_phone(host: str, port: int) -> dict[str, str]:
    return {"from_outside": f'$si == "{host}" && $sp == {port}', "to_outside": f'"sip:{host}:{port}"'}


def _many_phones(host: str) -> dict[str, str]:
    """Calls from outside are those to no number of that kind."""
    length = len(OUTSIDE)
    return {
        "from_outside": f'!($rU =~ "^[{OUTSIDE[0]}]{OUTSIDE[1:]}")',
        "to_outside": f'"sip:{host}:" + $(rU{{s.substr,{length},0}})',
    }


def _here(*words: str) -> list[str]:
    return list(words)
