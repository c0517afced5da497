"""The translator: `python -m services.translator`."""

from switchboard.workers.translator import run

if __name__ == "__main__":
    run()
