"""The registrar: `python -m services.registrar`."""

from switchboard.workers.registrar import run

if __name__ == "__main__":
    run()
