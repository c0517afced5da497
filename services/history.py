"""The history: `python -m services.history`."""

from switchboard.workers.history import HistoryService
from switchboard.workers.run import run_actor

if __name__ == "__main__":
    run_actor(HistoryService)
