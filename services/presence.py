"""The presence worker: `python -m services.presence`."""

from switchboard.workers.presence import run

if __name__ == "__main__":
    run()
