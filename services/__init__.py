"""The processes, one entry each; what they run is in `switchboard/workers`, which is all that is installed."""

from switchboard.twins import obey_environment

obey_environment()
