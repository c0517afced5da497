"""What tcpdump says at its end."""

from bench.speed.capture import dropped


def test_packets_that_were_not_caught_are_known() -> None:
    assert dropped("5 packets captured\n12 packets received by filter\n7 packets dropped by kernel\n") == 7
