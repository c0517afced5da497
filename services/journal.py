"""The journal: `python -m services.journal`."""

from switchboard.workers.journal import JournalService
from switchboard.workers.run import run_actor

if __name__ == "__main__":
    run_actor(JournalService)
