cdef object _new


cdef class Turn:
    cdef public double now
    cdef public list requests, responses
    cdef public dict touched
    cpdef object send_request(self, object to, bytes raw)
    cpdef object send_response(self, object to, bytes raw, object reader)
    cpdef object touch(self, object transaction)
