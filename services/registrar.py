"""The registrar: `python -m services.registrar`."""

from switchboard.workers.registrar import RegistrarService
from switchboard.workers.run import run_actor

if __name__ == "__main__":
    run_actor(RegistrarService)
