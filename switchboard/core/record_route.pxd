from switchboard.core.request cimport Received
from switchboard.sip.address cimport uri_in
from switchboard.sip.host cimport bracketed
from switchboard.sip.message cimport Message
from switchboard.sip.translation cimport is_private, is_translated
from switchboard.sip.uri cimport SipUri

cdef int _RECORD_ROUTE, _CONTACT


cpdef bint is_recorded(str method) except -1
cpdef bint makes_dialog(Message response) except -1
cpdef list record_routes(
    Received received, object target, object routes, object to, int port, object seals, bint may_relay
)
cpdef object answering_target(Message response, object target)
cpdef bytes lead_to_callee(
    bytes raw, Message response, Received received, object target, object flow, object seals
)
cdef bint _is_where_expected(Message response, object target) except -1
cdef bint _names_same_place(str text, str other) except -1
cdef object _caller_side(Received received, object seals, bint may_relay)
cdef object _first_callee_side(object target, object routes, object to, object seals)
cdef object _callee_side(Received received, object target, object flow, str text, object seals)
cdef object _side_at(SipUri uri, object known, tuple sums, bint may_follow)
cdef bint _is_behind(SipUri uri, object target, object flow) except -1
cdef str _first_uri(Message message, object header)
cdef tuple _seal_in(Message response, object caller, object seals)
cdef str _uri_behind(Message response, bytes seal, bytes above)
cdef bytes _value_at(bytes raw, Py_ssize_t start, Py_ssize_t end)
cdef SipUri _parsed(str text)
