"""Inputs that a fuzzer found, for the code that they reach or the harm that they did: none does any now."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from sip.messages import anything
from takes import SEPARATOR, seeds, take

FOUND = sorted((Path(__file__).parent / "found").glob("[!.]*"))


@pytest.mark.parametrize("path", FOUND, ids=lambda path: str(path.name)[:8])
def test_found(path: Path) -> None:
    take(path.read_bytes())


@pytest.mark.parametrize("seed", seeds())
def test_seed(seed: bytes) -> None:
    take(seed)


@given(anything(), anything())
@settings(max_examples=50, deadline=None)
def test_anything(one: bytes, other: bytes) -> None:
    take(SEPARATOR.join((b"\0" + one, b"\1" + other)))
