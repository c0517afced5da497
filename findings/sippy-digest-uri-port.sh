#!/bin/sh
# sippy 2.5.0 (PyPI), Python 3.11: the digest of a call names a URI that its Request-URI is not.
#
# Towards a server at port 5060 its UA leaves the port out of the Request-URI. Challenged, it sends the INVITE once
# more in the same way, but computes the digest over that URI with ":5060" added, and says so in `uri`. RFC 3261
# §22.4 has `uri` be the Request-URI. A server that compares letters refuses the credentials, each time anew; the
# REGISTER of the same stack names its Request-URI as it is, so such a phone is registered and cannot call. With
# any other port, which the Request-URI then has, both are the same.
#
# Seen:   INVITE sip:bob@127.0.7.60 with uri="sip:bob@127.0.7.60:5060"
# Exits with 0 while that is so, with 1 when it is otherwise. Speaks to itself on 127.0.0.0/8 only.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --quiet --disable-pip-version-check sippy==2.5.0
SIPLOG_BEND=none "$folder/venv/bin/python" - <<'PYTHON'
import os
import re
import socket
import threading

from sippy.CCEvents import CCEventTry
from sippy.Core.EventDispatcher import ED2
from sippy.MsgBody import MsgBody
from sippy.SipCallId import SipCallId
from sippy.SipLogger import SipLogger
from sippy.SipTransactionManager import SipTransactionManager
from sippy.UA import UA

HOST = "127.0.7.60"
SDP = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 40000 RTP/AVP 0\r\n"
CHALLENGE = 'Proxy-Authenticate: Digest realm="here", nonce="n", algorithm=MD5, qop="auth"'
server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
server.bind((HOST, 5060))
server.settimeout(10)


def refusal(request: str) -> bytes:
    """A 407 to the request."""
    kept = re.findall(r"^(?:Via|From|Call-ID|CSeq): .*$", request, re.MULTILINE)
    to = re.search(r"^To: [^\r\n]*", request, re.MULTILINE)[0]
    lines = ["SIP/2.0 407 Proxy Authentication Required", *(line.strip() for line in kept), f"{to};tag=t"]
    return "\r\n".join([*lines, CHALLENGE, "Content-Length: 0", "", ""]).encode()


def serve() -> None:
    """Challenge, look at the credentials, and end the program."""
    status = 1
    try:
        while True:
            raw, phone = server.recvfrom(65535)
            request = raw.decode()
            if not request.startswith("INVITE"):
                continue
            if shown := re.search(r'^Proxy-Authorization: .*\buri="([^"]*)"', request, re.MULTILINE):
                uri = request.split(" ")[1]
                print(f'INVITE {uri} with uri="{shown[1]}"')
                status = int((uri, shown[1]) != (f"sip:bob@{HOST}", f"sip:bob@{HOST}:5060"))
                break
            server.sendto(refusal(request), phone)
    except TimeoutError:
        print("no credentials came")
    os._exit(status)


threading.Thread(target=serve, daemon=True).start()
free = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
free.bind(("127.0.0.1", 0))
own = free.getsockname()[1]
free.close()
config = {"_sip_address": "127.0.0.1", "_sip_port": own, "_sip_logger": SipLogger("phone")}
config["_sip_tm"] = SipTransactionManager(config, lambda request, _: (None, None, None))
body = MsgBody(SDP)
body.parse()
phone = UA(config, lambda *_: None, "alice", "secret", (HOST, 5060))
phone.recvEvent(CCEventTry((SipCallId(), "alice", "bob", body, None, None)))
ED2.loop(20)
os._exit(1)
PYTHON
