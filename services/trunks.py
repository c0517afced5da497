"""The trunks' worker: `python -m services.trunks`."""

from switchboard.workers.trunks import run

if __name__ == "__main__":
    run()
