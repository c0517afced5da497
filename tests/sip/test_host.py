from switchboard.sip.host import bracketed, format_hop


def test_format_hop() -> None:
    assert (format_hop("h", 1), format_hop("::1", 2)) == ("h:1", "[::1]:2")


def test_bracketed() -> None:
    assert (bracketed("h"), bracketed("127.0.0.1"), bracketed("::1")) == ("h", "127.0.0.1", "[::1]")
