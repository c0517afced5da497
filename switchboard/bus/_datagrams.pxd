"""Datagrams in batches, for other compiled modules."""

from libc.stdint cimport uint16_t

cdef extern from "<netinet/in.h>" nogil:
    enum:
        INET6_ADDRSTRLEN

cdef extern from "<net/if.h>" nogil:
    enum:
        IF_NAMESIZE

cdef enum:
    HOST_ROOM = 64  # an IPv6 address, a percent sign, the name of an interface

cdef struct Arrival:
    const unsigned char *data
    Py_ssize_t size
    char host[HOST_ROOM]
    Py_ssize_t host_size
    uint16_t port
    char local_host[HOST_ROOM]
    Py_ssize_t local_size

cdef class Receiver:
    cdef void *_memory
    cdef int fetch(self, int fd, int limit) except -1
    cdef void read(self, int number, Arrival *arrival) noexcept
