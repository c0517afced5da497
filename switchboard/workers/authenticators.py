"""Makes the authenticator of a worker, as the settings have it."""

import secrets
from collections.abc import Iterable

from switchboard.auth.authenticator import Authenticator
from switchboard.auth.failures import Failures
from switchboard.auth.nonce import Nonces
from switchboard.auth.replay import Replays
from switchboard.auth.trusted import Trusted
from switchboard.auth.users import Users
from switchboard.auth.verifier import Verifier
from switchboard.settings.model import Settings


def make_authenticator(
    settings: Settings, key: bytes, issuer: str, kept: Iterable[tuple[bytes, bytes]], failures: Failures
) -> Authenticator | None:
    """Return that of the worker `issuer`, None if everybody is believed.

    `kept`: the nonces in use. `issuer` names the store of them, too: what was captured is good nowhere else.
    """
    if settings.auth == "off":
        return None
    nonces = Nonces(key, issuer, settings.nonce_s, secrets.token_bytes)
    replays = Replays(settings.nonce_s, kept)
    chosen = {name: user.auth_algorithms for name, user in settings.users.items() if user.auth_algorithms}
    users = Users(settings.realm)
    verifier = Verifier(key, settings.auth_algorithms, users, nonces, replays, chosen)
    return Authenticator(verifier, Trusted(settings.trusted), failures)
