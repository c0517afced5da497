from switchboard.auth.keys cimport seal
from switchboard.sip.uri cimport SipUri

cdef int _MAC, _SUM, _LONGEST, _SHORTEST, _TEXT, _REMEMBERED, _REMEMBERED_LENGTH
cdef int _VERSION, _SAME_LOCAL, _VERSIONS, _TRANSLATED, _NAMED, _MAY_FOLLOW, _CLAIMED


cdef class DialogSeals:
    cdef bytes _key
    cdef dict _targets
    cdef object _user
    cpdef str make(self, object sides, str call_id, str tag)
    cpdef object read(self, str text, str call_id, str tag)
    cpdef object lead(self, str text, str call_id, str from_tag, str to_tag)
    cpdef bytes target_of(self, SipUri uri, str text)
    cpdef bytes user(self, str name)
    cdef bytes _learn(self, str text, SipUri uri)
    cdef object _opened(self, bytes sealed, str call_id, str tag)
    cdef bytes _mac(self, str call_id, str tag, bytes claim)
    cdef bytes _sum(self, str text)


cpdef tuple address_named(SipUri uri)
cdef bytes _decoded(str text)
