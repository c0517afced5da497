#!/bin/sh
# pjsua2-python 2.15.1.post1 (PyPI, PJSIP 2.15.1), Python 3.11: it sees nobody in a presence document with a prefix.
#
# RFC 3863 §4.1: a PIDF document is XML with namespaces, in which `<p:presence xmlns:p="urn:ietf:params:xml:ns:pidf">`
# and `<presence xmlns="urn:ietf:params:xml:ns:pidf">` are the same. pjsua2 compares the names as they are written. It
# answers a NOTIFY with the first by 200, as the second, and the buddy stays neither online nor offline, without any
# error. Python's xml.etree writes the first ("ns0:") unless it is told otherwise.
#
# Seen:   default namespace: Online
#         prefix: ?
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

WATCHED_S = 20
PREFIXES = {"default namespace": "", "prefix": "p"}

notifier = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
notifier.bind(("127.0.0.1", 0))
PLACE = f"127.0.0.1:{notifier.getsockname()[1]}"


def field(message: str, name: str) -> str:
    """The value of a header field."""
    return re.search(rf"^{name}: ([^\r\n]*)", message, re.MULTILINE)[1]


def accepted(request: str) -> bytes:
    """A 200 to a SUBSCRIBE."""
    kept = [f"{name}: {field(request, name)}" for name in ("Via", "From", "Call-ID", "CSeq")]
    lines = ["SIP/2.0 200 OK", *kept, f"To: {field(request, 'To')};tag=t", f"Contact: <sip:{PLACE}>", "Expires: 600"]
    return "\r\n".join([*lines, "Content-Length: 0", "", ""]).encode()


def notify(request: str, prefix: str) -> bytes:
    """The NOTIFY that follows it: the user is there."""
    p, declared = (f"{prefix}:", f"xmlns:{prefix}") if prefix else ("", "xmlns")
    body = (
        f'<?xml version="1.0" encoding="UTF-8"?>\r\n<{p}presence {declared}="urn:ietf:params:xml:ns:pidf" '
        f'entity="sip:bob@127.0.0.1"><{p}tuple id="a"><{p}status><{p}basic>open</{p}basic></{p}status></{p}tuple>'
        f"</{p}presence>"
    )
    contact = re.search(r"<([^>]*)>", field(request, "Contact"))[1]
    lines = [f"NOTIFY {contact} SIP/2.0", f"Via: SIP/2.0/UDP {PLACE};branch=z9hG4bK{os.urandom(6).hex()}"]
    lines += ["Max-Forwards: 70", f"From: {field(request, 'To')};tag=t", f"To: {field(request, 'From')}"]
    lines += [f"Call-ID: {field(request, 'Call-ID')}", "CSeq: 1 NOTIFY", f"Contact: <sip:{PLACE}>"]
    lines += ["Event: presence", "Subscription-State: active;expires=600", "Content-Type: application/pidf+xml"]
    return "\r\n".join([*lines, f"Content-Length: {len(body)}", "", body]).encode()


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
settings.idUri = f"sip:alice@{PLACE}"
account = pj.Account()
account.create(settings)


def watch(user: str, prefix: str) -> str:
    """Subscribe, and return how the buddy is shown once the NOTIFY is answered."""
    config = pj.BuddyConfig()
    config.uri, config.subscribe = f"sip:{user}@{PLACE}", True
    buddy = pj.Buddy()
    buddy.create(account, config)
    began = time.monotonic()
    while time.monotonic() < began + WATCHED_S:
        endpoint.libHandleEvents(20)
        if not select.select([notifier], [], [], 0)[0]:
            continue
        raw, phone = notifier.recvfrom(65535)
        message = raw.decode()
        if message.startswith("SUBSCRIBE "):
            notifier.sendto(accepted(message), phone)
            notifier.sendto(notify(message, prefix), phone)
        elif message.startswith("SIP/2.0 200 "):
            info = buddy.getInfo()
            status = info.presStatus
            return status.statusText
    return "no answer"


shown = {name: watch(f"bob{place}", prefix) for place, (name, prefix) in enumerate(PREFIXES.items())}
for name, text in shown.items():
    print(f"{name}: {text}", flush=True)
os._exit(shown != {"default namespace": "Online", "prefix": "?"})
PYTHON
