"""The edge's streams: `python -m services.edge_stream`."""

from switchboard.workers.edge_stream import EdgeStream
from switchboard.workers.run import run_actor

if __name__ == "__main__":
    run_actor(EdgeStream)
