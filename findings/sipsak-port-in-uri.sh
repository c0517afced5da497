#!/bin/sh
# sipsak 0.9.8.1 (Debian 12): in its Request-URI a port of five digits has four.
#
# `sipsak -s sip:lenka@HOST:17500` sends to port 17500, and asks there for sip:lenka@HOST:1750: the last digit of the
# longest ports is left out, with a user and without. That is another resource, so a server that
# compares Request-URIs with its own addresses (RFC 3261 §16.4, §19.1.4) takes the request for somebody else's, and
# answers 403, 404 or nothing. A check of a server at a high port fails so, while phones are served.
#
# Seen:   port 7500: OPTIONS sip:lenka@127.0.7.75:7500
#         port 17500: OPTIONS sip:lenka@127.0.7.75:1750
# Exits with 0 while that is so, with 1 when it is otherwise. Speaks to itself on 127.0.0.0/8 only. Debian 12, amd64.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
apt-get -qq -o APT::Sandbox::User=root download sipsak=0.9.8.1-1 libc-ares2
for package in *.deb; do
  dpkg-deb --extract "$package" .
done
export PATH="$folder/usr/bin:$PATH" LD_LIBRARY_PATH="$folder/usr/lib/x86_64-linux-gnu"
python3 - <<'PYTHON'
import socket
import subprocess
import sys

HOST = "127.0.7.75"
SEEN = {7500: f"OPTIONS sip:lenka@{HOST}:7500", 17500: f"OPTIONS sip:lenka@{HOST}:1750"}


def asked(port: int) -> str:
    """What comes to the port when sipsak is told to go there: method and Request-URI."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind((HOST, port))
        server.settimeout(10)
        command = ["sipsak", "-s", f"sip:lenka@{HOST}:{port}"]
        with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as client:
            try:
                raw, _ = server.recvfrom(65535)
            except TimeoutError:
                return "nothing"
            finally:
                client.kill()
    return raw.decode().split(" SIP/2.0")[0]


found = {port: asked(port) for port in SEEN}
for port, line in found.items():
    print(f"port {port}: {line}")
sys.exit(found != SEEN)
PYTHON
