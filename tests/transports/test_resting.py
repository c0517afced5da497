"""Connections that rest."""

import os

import pytest

from switchboard.sip.flow import TCP
from switchboard.transports.connection import StreamLimits
from switchboard.transports.resting import NOBODY, Rested, Resting

A, B = b"12345678", b"abcdefgh"


def rested(serial: bytes, fd: int, is_stranger: bool, since: float = 0.0) -> Rested:
    return Rested([serial, TCP, 1.0, is_stranger, True, "192.0.2.1", 5060], fd, None, since)


def test_one_is_found_until_it_is_taken() -> None:
    resting = Resting()
    resting.add(rested(A, 5, True))
    resting.add(rested(B, 6, False))
    assert (len(resting), resting.strangers, list(resting)) == (2, 1, [5, 6])
    assert (resting.find(A), resting.find(b"nobody--")) == (5, NOBODY)
    assert resting.take(5) == rested(A, 5, True)
    assert (len(resting), resting.strangers, resting.find(A)) == (1, 0, NOBODY)
    assert resting.take(5) is None
    assert resting.take(NOBODY) is None


def test_who_is_silent_too_long_is_told() -> None:
    resting = Resting()
    limits = StreamLimits(stranger_s=10.0, known_s=100.0)
    for number, (is_stranger, since) in enumerate([(True, 0.0), (True, 15.0), (False, 0.0)]):
        resting.add(rested(b"1234567%d" % number, number, is_stranger, since))
    assert resting.silent(limits.is_too_long, 20.0) == [0]
    assert resting.silent(limits.is_too_long, 101.0) == [0, 1, 2]


def test_descriptors_are_let_go_of() -> None:
    readable, writable = os.pipe()
    resting = Resting()
    resting.add(rested(A, readable, True))
    resting.close()
    with pytest.raises(BrokenPipeError):
        os.write(writable, b"x")
    os.close(writable)
