from switchboard.core.recent cimport Recent
from switchboard.core.proxy_commands cimport ProxyTurn
from switchboard.core.request cimport Received


cdef class Caps:
    cdef readonly object overload
    cdef object _locations, _refused
    cdef Recent _recent
    cdef int _transactions
    cdef tuple _exempt
    cdef dict _known
    cpdef str cause(self, Received received, int transactions, ProxyTurn turn)
    cdef str _cause_now(self, Received received, int transactions, ProxyTurn turn)
    cdef bint _is_of_user(self, Received received, ProxyTurn turn) except -1
    cdef bint _is_exempt(self, str host) except -1


cpdef object check_passed(Received received)
