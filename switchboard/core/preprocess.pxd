import cython

from switchboard.core.domains cimport OwnDomains
from switchboard.core.request cimport Received
from switchboard.sip.address cimport split_values, uri_in
from switchboard.sip.message cimport Message
from switchboard.sip.uri cimport SipUri, parse_uri


cdef class Routing:
    cdef public str text, seal, user
    cdef public SipUri uri
    cdef public list routes
    cdef public int max_forwards, breadth
    cdef public bint may_relay, is_sealed, is_led, is_nobodys
    cdef public object target, unreadable
    cpdef tuple saved(self)


cpdef object check_syntax(Message request)
@cython.locals(uri=SipUri, route=SipUri)
cpdef Routing preprocess(Received received, OwnDomains own)
@cython.locals(uri=SipUri)
cpdef SipUri parse_request_uri(str text)
cdef int _max_forwards(Message request) except -1
cdef object _check_loop(Received received)
cdef object _check_proxy_require(Message request)
cdef list _routes(Received received)
@cython.locals(uri=SipUri)
cdef object _undo_strict_routing(Routing routing, OwnDomains own, bint in_dialog)
cdef object _take_maddr(Routing routing, OwnDomains own)
cdef tuple _read_uri(str text)
cdef int _max_breadth(Message request) except -1
cdef str _text_of(str value)
cdef SipUri _route_uri(str value)
