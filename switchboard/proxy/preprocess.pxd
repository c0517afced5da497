from switchboard.proxy.domains cimport OwnDomains
from switchboard.proxy.received cimport Received
from switchboard.sip.message cimport Message


cdef class Routing:
    cdef public str text
    cdef public object uri
    cdef public list routes
    cdef public int max_forwards
    cdef public bint had_own_route
    cpdef tuple saved(self)


cpdef object check_syntax(Message request)
cpdef Routing preprocess(Received received, OwnDomains own)
cpdef object parse_request_uri(str text)
cdef int _max_forwards(Message request) except -1
cdef object _check_loop(Received received)
cdef object _check_proxy_require(Message request)
cdef object _undo_strict_routing(Routing routing, OwnDomains own, bint in_dialog)
cdef object _take_maddr(Routing routing, OwnDomains own)
cdef object _route_uri(str value)
