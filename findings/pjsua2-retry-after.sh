#!/bin/sh
# pjsua2-python 2.15.1.post1 (PyPI, PJSIP 2.15.1), Python 3.11: it registers again within ten seconds after a 503 that
# asked for two minutes.
#
# RFC 3261 §21.5.4: who gets a 503 with Retry-After should send that server no other request for that time. pjsua2 says
# that it will "retry" after `firstRetryIntervalSec` (0) and up to `randomRetryIntervalSec` (10) seconds, whatever
# Retry-After says; after the next 503 it is `retryIntervalSec` (300), which may be too early or too late as well. A
# server that has too much to do, or is being started, cannot tell these phones when to come back.
#
# Seen:   REGISTER again after 4 s, though Retry-After was 120 s      (0 to 10 s, by chance)
# Exits with 0 while that is so, with 1 when it is otherwise. Speaks to itself on 127.0.0.1 only.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --quiet --disable-pip-version-check pjsua2-python==2.15.1.post1
"$folder/venv/bin/python" - <<'PYTHON'
import os
import re
import select
import socket
import time

import pjsua2 as pj

RETRY_AFTER_S = 120
WATCHED_S = 20

registrar = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
registrar.bind(("127.0.0.1", 0))


def refusal(request: str) -> bytes:
    """A 503 to the request."""
    kept = re.findall(r"^(?:Via|From|Call-ID|CSeq): [^\r\n]*", request, re.MULTILINE)
    to = re.search(r"^To: [^\r\n]*", request, re.MULTILINE)[0]
    retry = f"Retry-After: {RETRY_AFTER_S}"
    return "\r\n".join(["SIP/2.0 503 Service Unavailable", *kept, f"{to};tag=t", retry, "Content-Length: 0", "", ""]).encode()


endpoint = pj.Endpoint()
endpoint.libCreate()
config = pj.EpConfig()
config.uaConfig.threadCnt = 0
config.uaConfig.mainThreadOnly = True
config.logConfig.level = config.logConfig.consoleLevel = 0
endpoint.libInit(config)
transport = pj.TransportConfig()
transport.boundAddress = "127.0.0.1"
endpoint.transportCreate(pj.PJSIP_TRANSPORT_UDP, transport)
endpoint.libStart()
endpoint.audDevManager().setNullDev()
settings = pj.AccountConfig()
settings.idUri = "sip:alice@127.0.0.1"
settings.regConfig.registrarUri = f"sip:127.0.0.1:{registrar.getsockname()[1]}"
account = pj.Account()
account.create(settings)

refused: dict[str, float] = {}  # the REGISTERs by branch, and when each was answered
began = time.monotonic()
while len(refused) < 2 and time.monotonic() < began + WATCHED_S:
    endpoint.libHandleEvents(20)
    if select.select([registrar], [], [], 0)[0]:
        raw, phone = registrar.recvfrom(65535)
        request = raw.decode()
        refused.setdefault(re.search(r"branch=([^;\s]+)", request)[1], time.monotonic())
        registrar.sendto(refusal(request), phone)

as_seen = len(refused) == 2
if as_seen:
    first, second = refused.values()
    print(f"REGISTER again after {second - first:.0f} s, though Retry-After was {RETRY_AFTER_S} s", flush=True)
else:
    print(f"{len(refused)} REGISTERs in {WATCHED_S} s", flush=True)
os._exit(not as_seen)
PYTHON
