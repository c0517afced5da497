"""The edge's write side: `python -m services.edge_tx`."""

from switchboard.workers.edge_tx import run

if __name__ == "__main__":
    run()
