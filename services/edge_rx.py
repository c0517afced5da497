"""The edge's read side: `python -m services.edge_rx`."""

from switchboard.workers.edge_rx import run

if __name__ == "__main__":
    run()
