cdef class Verdicts:
    cdef double _lasts_s
    cdef dict _young
    cdef dict _old
    cdef double _turned_at

    cpdef object find(self, object number, double now)
    cpdef add(self, object number, object verdict, double now)
    cdef _turn(self, double now)
