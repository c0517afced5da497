"""twinkle-console: Twinkle's phone (commoncpp, its own SIP stack) without windows."""

from interop.stack import ALL, Phone, Place, Stack, Terminal

_PROFILE = """\
user_name={user}
user_domain={server}
user_display={user}
auth_realm=
auth_name={user}
auth_pass={password}
outbound_proxy=
registrar={server}
registration_time=600
register_at_startup=no
use_nat_public_ip=no
codecs=g711u
"""
_SYSTEM = """\
sip_port=5060
dev_ringtone=alsa:null
dev_speaker=alsa:null
dev_mic=alsa:null
validate_audio_dev=no
play_ringtone=no
play_ringback=no
"""
_PHRASES = {
    "register": "register",
    "call": "call {0}",
    "answer": "answer",
    "hangup": "bye",
    "message": "message {0} {1}",
    "quit": "quit",
}


def start(place: Place) -> Phone:
    """Start it with its account; there is no sound card."""
    home = place.folder / ".twinkle"
    home.mkdir()
    own = {"user": place.user, "password": place.password or "none", "server": place.server}
    (home / "twinkle.cfg").write_text(_PROFILE.format(**own))
    (home / "twinkle.sys").write_text(_SYSTEM)
    return Terminal(place, ["twinkle-console"], _PHRASES)


STACK = Stack(
    "Twinkle",
    "Debian",
    "twinkle-console",
    start,
    ALL,
    note=(
        "Without a sound card: `dev_speaker=alsa:null`, `dev_mic=alsa:null`, or it ends when a call is up."
    ),
)
