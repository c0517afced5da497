cdef class Entrance:
    cdef object _is_user
    cdef dict _overloads
    cdef dict _young
    cdef dict _old
    cdef double _turned_at

    cpdef bint admits(self, long peer, unsigned int transaction, str host, double now)
    cdef bint _refuses(self, long peer, str host, double now)
    cdef _remember(self, unsigned int transaction, bint verdict, double now)
