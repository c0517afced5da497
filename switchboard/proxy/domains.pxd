cdef class OwnDomains:
    cdef readonly frozenset hosts, ports, listening
    cpdef bint owns(self, object uri) except -1
    cpdef bint is_listening_at(self, str host, object port) except -1


cpdef str canonical_host(str host)
