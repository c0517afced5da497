"""A parent of fake workers: `fake_parent.py RUN_DIR GRACE_S MODE…`, one worker `fake.I` for each mode."""

import sys
from functools import partial
from pathlib import Path

from switchboard.bus.context import BusContext
from switchboard.bus.endpoints import Endpoints
from switchboard.bus.rpc import RpcServer
from switchboard.supervisor.supervisor import Parent, Team
from switchboard.supervisor.worker import Worker

WORKER = Path(__file__).with_name("fake_worker.py")


def main(run_dir: str, grace_s: str, *modes: str) -> int:
    workers = [
        Worker("fake", number, [sys.executable, str(WORKER), mode], grace_s=float(grace_s))
        for number, mode in enumerate(modes)
    ]
    server = RpcServer(BusContext(), Endpoints(Path(run_dir)).control("fake"))
    say = partial(print, flush=True)
    return Parent([Team(workers, server)], say, on_up=lambda: say("up")).run()


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
