cdef class Recent:
    cdef int _limit
    cdef double _lasts_s, _began_at
    cdef dict _counts, _before
    cpdef bint admits(self, str source, double now) except -1
    cdef object _turn(self, double now)
