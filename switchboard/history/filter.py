"""Which messages of a live stream are wanted: a user is named only at the beginning of what concerns it."""

from collections import OrderedDict

from switchboard.history.glance import Glance
from switchboard.history.peek import call_id_of
from switchboard.history.seen import Seen
from switchboard.history.summary import user_of

_REMEMBERED = 10_000


class CallFilter:
    """`user` and `call_id`: "" for any. A Call-ID in which a user once took part is wanted as a whole."""

    def __init__(self, user: str = "", call_id: str = "") -> None:
        self._user = user
        self._call_id = call_id
        self._theirs: OrderedDict[str, None] = OrderedDict()

    def wants(self, seen: Seen) -> bool:
        """Whether this message is wanted; to be asked of each one, in order."""
        call_id = call_id_of(seen.raw)
        if self._call_id and call_id != self._call_id:
            return False
        return not self._user or call_id in self._theirs or self._concerns(seen, call_id)

    def _concerns(self, seen: Seen, call_id: str) -> bool:
        glance = Glance.of(seen)
        if self._user not in (user_of(glance.caller), user_of(glance.callee)):
            return False
        self._theirs[call_id] = None
        if len(self._theirs) > _REMEMBERED:
            self._theirs.popitem(last=False)
        return True
