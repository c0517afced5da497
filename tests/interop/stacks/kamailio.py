"""Kamailio as a gateway: its module uac registers and answers challenges; behind it SIPp is the phone."""

from interop.stack import CALLS, IS_CALLED, REGISTERS, STACKS, Commands, Phone, Place, Stack
from interop.stacks.sipp import sipp

_LINE, _CALLS = "5080", "5070"
_VERSION = "table_name(string) table_version(int)\nuacreg:5\n"
_COLUMNS = (
    "id(int,auto) l_uuid(string) l_username(string) l_domain(string) r_username(string) r_domain(string) "
    "realm(string) auth_username(string) auth_password(string) auth_ha1(string,null) auth_proxy(string) "
    "expires(int) flags(int) reg_delay(int) contact_addr(string,null) socket(string,null)"
)
_ROW = (
    "1:{user}:{user}:{server}:{user}:{server}:switchboard:{user}:{password}::sip\\:{server}\\:5060:600:0:0::"
)


def start(place: Place) -> Phone:
    """It registers by itself, as soon as it runs."""
    own = {"user": place.user, "server": place.server, "password": place.password or "none"}
    (place.folder / "version").write_text(_VERSION)
    (place.folder / "uacreg").write_text(f"{_COLUMNS}\n{_ROW.format(**own)}\n")
    file = place.folder / "kamailio.cfg"
    file.write_text(_configuration(place, own))
    kamailio = [
        "kamailio",
        "-DD",
        "-f",
        str(file),
        "-l",
        f"udp:{place.address}:5060",
        "-Y",
        str(place.folder),
    ]
    call = [*sipp(place, "caller", _CALLS, place.address), "-s", "{0}", "-m", "1"]
    commands = {"start": kamailio, "listen": sipp(place, "callee", _LINE), "call": call}
    phone = Commands(place, commands)
    phone.say("start")
    phone.say("listen")
    return phone


def _configuration(place: Place, own: dict[str, str]) -> str:
    words = {name.upper(): word for name, word in own.items()}
    words |= {"TABLES": str(place.folder), "ADDRESS": place.address, "LINE": _LINE}
    text = (STACKS / "kamailio.cfg").read_text()
    for name, word in words.items():
        text = text.replace(name, word)
    return text


STACK = Stack(
    "Kamailio uac",
    "Debian",
    "kamailio",
    start,
    (REGISTERS, CALLS[0], IS_CALLED[1]),
    ["sipp"],
    note=(
        "Needs the module dialog with `track_cseq_updates`, since uac repeats the CSeq of the "
        "request that was challenged. Registers some seconds after its start."
    ),
)
