from switchboard.core.domains cimport OwnDomains
from switchboard.sip.message cimport Message

cdef bytes _PREFIX
cdef tuple _ROUTING_FIELDS


cdef class Branches:
    cdef str _router, _prefix
    cdef long _number
    cpdef str next(self, str routing_hash)
    cpdef str stateless(self, object via, str routing_hash)


cpdef str routing_hash(Message request)
cpdef list own_passes(Message request, OwnDomains own)
cdef object _own_via(str value, OwnDomains own)
