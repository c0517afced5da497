"""An authenticator with two users, whose nonces come one after the other."""

from collections.abc import Mapping
from itertools import count

from switchboard.auth.authenticator import Authenticator, Trusted, Verifier
from switchboard.auth.digest import ALGORITHMS
from switchboard.auth.failures import Failures
from switchboard.auth.nonce import Nonces, Replays
from switchboard.auth.users import Record, Users, make_entry
from switchboard.storage.records import Page

KEY = b"k" * 32
REALM = "pbx.example"
LIFETIME_S = 300.0
PASSWORDS = {"lukas": "tajné heslo", "lenka": "open sesame"}


def make_users(realm: str = REALM) -> Users:
    """Lukas and Lenka."""
    users = Users(realm)
    entries = [make_entry(user, REALM, password) for user, password in PASSWORDS.items()]
    users.apply(
        Page("one", 0, [Record(number, *entry, 0.0) for number, entry in enumerate(entries, 1)], False)
    )
    return users


def make_authenticator(
    failures: Failures | None = None,
    *,
    issuer: str = "router.0",
    replays: Replays | None = None,
    users: Users | None = None,
    trusted: tuple[str, ...] = (),
    algorithms: tuple[str, ...] = ALGORITHMS,
    of_user: Mapping[str, tuple[str, ...]] | None = None,
) -> Authenticator:
    """The authenticator of the worker `issuer`."""
    numbers = count(1)
    nonces = Nonces(KEY, issuer, LIFETIME_S, lambda size: next(numbers).to_bytes(size, "big"))
    users = make_users() if users is None else users
    verifier = Verifier(KEY, algorithms, users, nonces, replays or Replays(LIFETIME_S), of_user)
    return Authenticator(verifier, Trusted(trusted), failures or Failures())
