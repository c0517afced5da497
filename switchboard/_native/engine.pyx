# cython: boundscheck=False, wraparound=False
"""The native engine."""

include "keyed_log.pxi"
include "event_ring.pxi"
