from switchboard.sip.message cimport Message


cdef class Unconfirmed:
    cdef double _patience_s
    cdef int _most
    cdef dict _since
    cpdef object await_ack(self, Message invite, object target, double now)
    cpdef object confirm(self, Message ack)
    cpdef list take_overdue(self, double now, double at)


cdef tuple _key(Message message)
