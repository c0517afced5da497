import pytest

from switchboard.media.engine import SUM, Engine


@pytest.mark.parametrize(
    ("text", "engine", "shown"),
    [
        ("rtpengine://127.0.0.1:2223", Engine("127.0.0.1", 2223), "rtpengine://127.0.0.1:2223"),
        (" rtpengine://10.0.0.7/ ", Engine("10.0.0.7", 2223), "rtpengine://10.0.0.7:2223"),
        ("rtpengine://[2001:DB8::1]:22222", Engine("2001:db8::1", 22222), "rtpengine://[2001:db8::1]:22222"),
    ],
)
def test_an_engine_is_read_from_its_url(text: str, engine: Engine, shown: str) -> None:
    assert Engine.parse(text) == engine
    assert str(engine) == shown
    assert len(engine.sum) == SUM


@pytest.mark.parametrize(
    "text",
    [
        "",
        "127.0.0.1:2223",
        "udp://127.0.0.1:2223",
        "rtpengine://media.example:2223",
        "rtpengine://127.0.0.1:0",
    ]
    + ["rtpengine://127.0.0.1:70000", "rtpengine://1.2.3:5", "rtpengine://[::1"],
)
def test_what_names_none_is_told_in_words(text: str) -> None:
    with pytest.raises(ValueError, match="media engine|IP address"):
        Engine.parse(text)


def test_engines_have_different_sums() -> None:
    assert Engine("127.0.0.1", 2223).sum != Engine("127.0.0.1", 2224).sum
