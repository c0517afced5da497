"""The edge's write side: `python -m services.edge_tx`."""

from switchboard.workers.edge_tx import EdgeTx
from switchboard.workers.run import run_actor

if __name__ == "__main__":
    run_actor(EdgeTx)
