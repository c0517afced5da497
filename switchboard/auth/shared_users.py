"""The users of several switchboards, who are on a server (`storage/shared_records.py`); the copy is `users.db`."""

from switchboard.auth.user_store import UserStore
from switchboard.auth.users import Record
from switchboard.storage.shared_records import SharedStore


class SharedUserStore(SharedStore[Record], UserStore):
    """See `UserStore`: the copy."""
