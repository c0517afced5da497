from cpython.array cimport array

from switchboard.sip.fields cimport text_of, unfold
from switchboard.sip.via cimport Via


cdef class Message:
    cdef readonly bytes raw, numbers
    cdef readonly array index
    cdef readonly int status
    cdef readonly str method, uri, call_id, from_uri, from_tag, to_uri, to_tag
    cdef readonly tuple cseq
    cdef tuple _first_via
    cdef Via _via
    cdef str _only(self, object name)
