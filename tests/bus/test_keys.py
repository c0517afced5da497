"""The keys of the hosts, in real files."""

import stat
from pathlib import Path

import pytest
import zmq

from switchboard.bus.keys import KeysError, load_keys, make_keys

ADDRESSES = {"alpha": "10.0.0.1", "beta": "2001:db8::2"}


def test_each_host_gets_a_pair_once(tmp_path: Path) -> None:
    directory = tmp_path / "keys"
    assert make_keys(directory, ADDRESSES) == ["alpha", "beta"]
    before = (directory / "alpha.key").read_bytes()
    assert make_keys(directory, [*ADDRESSES, "gamma"]) == ["gamma"]
    assert (directory / "alpha.key").read_bytes() == before
    for file in directory.glob("*.key_secret"):
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(directory.stat().st_mode) == 0o700


def test_a_host_has_its_own_secret_and_all_public_keys(tmp_path: Path) -> None:
    make_keys(tmp_path, ADDRESSES)
    (tmp_path / "beta.key_secret").unlink()
    keys = load_keys(tmp_path, "alpha", ADDRESSES)
    assert zmq.curve_public(keys.secret) == keys.public == keys.server_key("tcp://10.0.0.1:7100")
    assert keys.server_key("tcp://[2001:db8::2]:7101") not in (keys.public, b"")


@pytest.mark.parametrize("missing", ["alpha.key", "beta.key", "alpha.key_secret"])
def test_missing_key(tmp_path: Path, missing: str) -> None:
    make_keys(tmp_path, ADDRESSES)
    (tmp_path / missing).unlink()
    with pytest.raises(KeysError, match=rf"{missing} is missing\. Make the keys .*`switchboard keys`"):
        load_keys(tmp_path, "alpha", ADDRESSES)


def test_file_that_holds_no_key(tmp_path: Path) -> None:
    make_keys(tmp_path, ADDRESSES)
    (tmp_path / "beta.key").write_text("hello")
    with pytest.raises(KeysError, match=r"beta\.key cannot be read"):
        load_keys(tmp_path, "alpha", ADDRESSES)


def test_public_key_in_the_place_of_the_secret_one(tmp_path: Path) -> None:
    make_keys(tmp_path, ADDRESSES)
    (tmp_path / "alpha.key_secret").write_bytes((tmp_path / "alpha.key").read_bytes())
    with pytest.raises(KeysError, match=r"alpha\.key_secret holds no secret key"):
        load_keys(tmp_path, "alpha", ADDRESSES)
