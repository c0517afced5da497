import cython

from switchboard.sip.uri cimport SipUri

cdef int _MAC, _SUM, _LONGEST, _SHORTEST, _TEXT
cdef int _VERSION, _SAME_LOCAL, _VERSIONS, _TRANSLATED, _NAMED, _MAY_FOLLOW


cdef class DialogSeals:
    cdef bytes _key
    cdef object _sum
    cpdef str make(self, object sides, str call_id, str tag)
    cpdef object read(self, str text, str call_id, str tag)
    cpdef object lead(self, str text, str call_id, str from_tag, str to_tag)
    cpdef bytes target_of(self, SipUri uri, str text)
    @cython.locals(flags=int)
    cdef object _opened(self, bytes sealed, str call_id, str tag)
    cdef bytes _mac(self, str call_id, str tag, bytes claim)


cpdef tuple address_named(SipUri uri)
cdef bytes _decoded(str text)
@cython.locals(kind=int)
cdef bytes _packed_side(object side, bint with_local)
@cython.locals(kind=int, owner_at=int, at=int, end=int)
cdef tuple _side(bytes claim, int start, object local)
