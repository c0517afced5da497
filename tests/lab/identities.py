"""Fake phones whose tokens can be foretold."""

from itertools import count

from switchboard.lab.requests import PhoneIdentity


def identity(user: str, port: int = 6060, host: str = "10.0.0.2") -> PhoneIdentity:
    """A phone of the domain `pbx.test`."""
    numbers = count(1)
    return PhoneIdentity(user, host, port, "pbx.test", lambda: f"{user}{next(numbers)}")
