cdef class Trusted:
    cdef list _networks
    cdef object _cached
