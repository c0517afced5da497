"""linphonec: the console client of the library that Linphone's phones use."""

from interop.stack import CALLS, IS_CALLED, IS_WRITTEN_TO, REGISTERS, WRITES, Phone, Place, Stack, Terminal

_CONFIGURATION = """\
[sip]
sip_port=5060
sip_tcp_port=0
sip_tls_port=0
default_proxy=0
use_ipv6=0
contact="{user}" <sip:{user}@{address}>
inc_timeout=15
[rtp]
audio_rtp_port=7078
video_rtp_port=9078
[proxy_0]
reg_proxy=<sip:{server};transport=udp>
reg_identity=sip:{user}@{server}
reg_sendregister=0
reg_expires=600
publish=0
[auth_info_0]
username={user}
passwd={password}
realm=switchboard
"""
_PHRASES = {
    "call": "call sip:{0}@{server} --audio-only",
    "answer": "answer",
    "hangup": "terminate all",
    "message": "chat sip:{0}@{server} {1}",
    "quit": "quit",
}


def start(place: Place) -> Phone:
    """Start it with its account; sound comes from files."""
    (place.folder / ".local/share/linphone").mkdir(parents=True)
    own = {"user": place.user, "address": place.address, "server": place.server}
    path = place.folder / "linphonerc"
    path.write_text(_CONFIGURATION.format(**own, password=place.password or "none"))
    register = f"register {place.aor} sip:{place.server} {place.password or 'none'}"
    command = ["linphonec", "-c", str(path), "-l", str(place.folder / "log"), "-d", "6"]
    phone = Terminal(place, command, _PHRASES | {"register": register, "files": "soundcard use files"})
    phone.say("files")
    return phone


STACK = Stack(
    "Linphone",
    "Debian",
    "linphone-cli",
    start,
    (REGISTERS, *CALLS, *IS_CALLED, WRITES, IS_WRITTEN_TO),
    note="Calls only where it sees a network with a default route.",
)
