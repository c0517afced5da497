from switchboard.core.preprocess cimport Routing
from switchboard.core.request cimport Received
from switchboard.sip.uri cimport SipUri


cpdef object follow(object policy, Received received, Routing routing, double at, object answered_at=*)
cdef object _lead(object policy, object there, object here, Received received, Routing routing, double at)
cdef bint _names(object policy, Routing routing, object side) except -1
cdef tuple _next(Routing routing)
cdef object _unmoved(
    object policy, object there, Received received, Routing routing, SipUri uri, double at
)
cdef object _moved(
    object policy, object there, object here, Received received, Routing routing, SipUri uri, double at
)
cdef bint _is_near(object there, SipUri uri) except -1
cdef bint _comes_from(object here, Received received) except -1
