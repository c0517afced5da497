from switchboard.registrar.rules cimport Registrar
from switchboard.sip.message cimport Message


cdef class RegisterTransactions:
    cdef readonly long replied, retransmissions, unanswerable
    cdef Registrar _registrar
    cdef object _answered
    cpdef object handle(self, Message request, tuple source, double now, double now_at)
