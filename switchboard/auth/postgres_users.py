"""Users on PostgreSQL (`postgres/records.py`). The module needs psycopg, and is imported only where it is used."""

from switchboard.auth.user_store import USERS
from switchboard.auth.users import Record
from switchboard.postgres.records import PostgresRecords
from switchboard.postgres.url import PostgresUrl


class PostgresUsers(PostgresRecords[Record]):
    """See `RemoteRecords`."""

    def __init__(self, url: PostgresUrl) -> None:
        super().__init__(USERS, url)
