"""The workers: one module each."""

from switchboard.twins import obey_environment

obey_environment()
