"""The translator: `python -m services.translator`."""

from switchboard.workers.run import run_actor
from switchboard.workers.translator import TranslatorService

if __name__ == "__main__":
    run_actor(TranslatorService)
