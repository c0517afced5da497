from switchboard.sip.uri cimport SipUri


cdef class OwnDomains:
    cdef readonly str realm
    cdef readonly frozenset hosts, ports, listening
    cpdef bint owns(self, SipUri uri) except -1
    cpdef bint is_host(self, str host) except -1
    cpdef bint is_listening_at(self, str host, object port) except -1


cpdef str canonical_host(str host)
