"""A router: `python -m services.router --instance I`."""

from switchboard.workers.router_run import run

if __name__ == "__main__":
    run()
