from switchboard.core.commands cimport Turn


cdef class ProxyTurn(Turn):
    cdef readonly double at
    cdef public list lookups, events
