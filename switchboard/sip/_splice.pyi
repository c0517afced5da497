from collections.abc import Sequence

from switchboard.sip.message import Message
from switchboard.sip.splice import Forwarding

def forward_request(request: Message, change: Forwarding) -> bytes: ...
def strip_top_via(response: Message) -> bytes: ...
def top_via_cut(response: Message) -> tuple[int, int]: ...
def complete_via(via: bytes, host: bytes, port: int, add_received: bool) -> bytes: ...
def build_response(
    request: Message,
    status: int,
    reason: str = "",
    to_tag: str = "",
    headers: Sequence[tuple[str, str]] = (),
    top_via: bytes | None = None,
) -> bytes: ...
