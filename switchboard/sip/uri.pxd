import cython

from switchboard.sip.grammar cimport find_param

cdef Py_ssize_t _CACHED_LENGTH, _MOST_KNOWN
cdef dict _known


cdef class SipUri:
    cdef readonly str scheme, user, password, host, headers, username
    cdef readonly object port
    cdef readonly tuple params
    cdef readonly bint has_host
    cdef str _address_of_record, _text
    cpdef object param(self, str name)


cpdef SipUri parse_uri(str text)
@cython.locals(uri=SipUri)
cdef SipUri _learn(str text)
cpdef SipUri parse_uri_in_python(str text)
