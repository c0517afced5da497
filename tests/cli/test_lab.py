"""`switchboard lab call` where there is nothing to call through; tests/system/test_lab.py has the call."""

from cli.conftest import Run
from system.harness import free_port


def test_nothing_runs(switchboard: Run) -> None:
    port = str(free_port("127.0.0.1"))
    done = switchboard("lab", "call", SIP_HOST="127.0.0.1", SIP_PORT=port)
    assert done.status == 1
    assert done.stderr.startswith(f"Nobody listens at 127.0.0.1, UDP port {port}. Start the switchboard")
    assert "--start" in done.stderr


def test_a_user_does_not_call_itself(switchboard: Run) -> None:
    done = switchboard("lab", "call", "anna", "anna")
    assert (done.status, done.stderr) == (2, "The two users are the same: name two.\n")
