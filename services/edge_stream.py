"""The edge's streams: `python -m services.edge_stream`."""

from switchboard.workers.edge_stream import run

if __name__ == "__main__":
    run()
