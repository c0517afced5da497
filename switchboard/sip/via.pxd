from switchboard.sip.grammar cimport find_param


cdef class Via:
    cdef readonly str transport, host, protocol, branch
    cdef readonly object port
    cdef readonly tuple params
    cpdef object param(self, str name)
