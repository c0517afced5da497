"""The journal: `python -m services.journal`."""

from switchboard.workers.journal import run

if __name__ == "__main__":
    run()
