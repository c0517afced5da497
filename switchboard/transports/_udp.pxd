"""Datagrams in batches, for other compiled modules."""

from libc.stdint cimport uint16_t

from switchboard.bus._packed cimport FLOW_ROOM

cdef struct Arrival:
    const unsigned char *data
    Py_ssize_t size
    unsigned char flow[FLOW_ROOM]
    Py_ssize_t flow_size
    Py_ssize_t host  # where the peer's address begins in the flow
    uint16_t port

cdef class Receiver:
    cdef void *_memory
    cdef int fetch(self, int fd, int limit) except -1
    cdef void read(self, int number, Arrival *arrival) noexcept
