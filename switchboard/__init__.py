"""A SIP proxy and registrar of small processes that speak ZeroMQ to each other."""

from switchboard.twins import obey_environment

obey_environment()
