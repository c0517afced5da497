"""baresip: Debian's, driven through its console."""

import wave

from interop.stack import CALLS, IS_CALLED, IS_WRITTEN_TO, REGISTERS, Phone, Place, Stack, Terminal

_RATE = 8000
_CONFIGURATION = """\
sip_listen 0.0.0.0:5060
audio_source aufile,{home}/silence.wav
audio_player aufile,{home}/heard.wav
audio_alert aufile,/dev/null
module_path /usr/lib/baresip/modules
module stdio.so
module g711.so
module aufile.so
module_app account.so
module_app menu.so
"""
_PHRASES = {
    "call": "/dial sip:{0}@{server}",
    "answer": "/accept",
    "hangup": "/hangup",
    "quit": "/quit",
}


def start(place: Place) -> Phone:
    """Start it with an account that registers at once; this version has no word for it."""
    (place.folder / "config").write_text(_CONFIGURATION.format(home=place.folder))
    account = f"<{place.aor};transport=udp>;auth_pass={place.password or 'none'};regint=600\n"
    (place.folder / "accounts").write_text(account)
    (place.folder / "contacts").touch()
    with wave.open(str(place.folder / "silence.wav"), "wb") as silence:
        silence.setparams((1, 2, _RATE, 0, "NONE", ""))
        silence.writeframes(bytes(2 * _RATE))
    return Terminal(place, ["baresip", "-4", "-f", str(place.folder)], _PHRASES)


STACK = Stack(
    "baresip",
    "Debian",
    "baresip-core",
    start,
    (REGISTERS, *CALLS, *IS_CALLED, IS_WRITTEN_TO),
    note=(
        "This version gives up at a list of challenges that has SHA-256 in it; baresip-python "
        "has a newer one that does not. MESSAGE is for its contacts only, so it was not tried."
    ),
)
