"""The history: `python -m services.history`."""

from switchboard.workers.history import run

if __name__ == "__main__":
    run()
