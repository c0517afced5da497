"""A router: `python -m services.router --instance I`."""

from switchboard.workers.router import RouterService
from switchboard.workers.run import run_actor

if __name__ == "__main__":
    run_actor(RouterService)
