from cpython.array cimport array


cdef class Message:
    cdef readonly bytes raw
    cdef readonly array index
    cdef readonly int status
    cdef dict __dict__
