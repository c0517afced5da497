import cython

from switchboard.sip.uri cimport SipUri

cdef int _MAC, _SUM, _FLAGS, _TARGET, _FOLLOWER, _OWNER, _FLOW, _LONGEST
cdef int _VERSION, _TO_CALLER, _BY_FLOW, _BY_NAME, _MAY_FOLLOW, _VERSIONS, _TEXT


cdef class DialogSeals:
    cdef bytes _key
    cdef object _sum
    cpdef str make(self, object side, str call_id, str tag)
    @cython.locals(flags=int)
    cpdef object read(self, str text, str call_id, str tag)
    cpdef bytes target_of(self, SipUri uri, str text)
    cdef bytes _mac(self, str call_id, str tag, bytes claim)


cpdef tuple address_named(SipUri uri)
cdef bytes _decoded(str text)
cdef bytes _packed_flow(object flow)
cdef object _flow(bytes octets)
