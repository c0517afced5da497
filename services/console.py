"""The console: `python -m services.console`."""

from switchboard.workers.console import run

if __name__ == "__main__":
    run()
