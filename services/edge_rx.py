"""The edge's read side: `python -m services.edge_rx`."""

from switchboard.workers.edge_rx import EdgeRx
from switchboard.workers.run import run_actor

if __name__ == "__main__":
    run_actor(EdgeRx)
