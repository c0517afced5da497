"""The console: `python -m services.console`."""

from switchboard.workers.console import ConsoleService
from switchboard.workers.run import run_actor

if __name__ == "__main__":
    run_actor(ConsoleService)
