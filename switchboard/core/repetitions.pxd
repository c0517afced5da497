cdef class Repetitions:
    cdef public int withheld
    cdef set _young, _old
    cdef long _second
    cdef dict _sent
    cpdef object answered(self, str host)
    cpdef bint allows(self, str host, double now) except -1
