from switchboard.core.verdicts cimport Verdicts


cdef class Entrance:
    cdef object _is_user
    cdef dict _overloads
    cdef Verdicts _verdicts

    cpdef bint admits(self, long peer, object transaction, str host, double now)
    cdef bint _refuses(self, long peer, str host, double now)
