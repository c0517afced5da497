from switchboard.core.preprocess cimport Routing
from switchboard.core.request cimport Received
from switchboard.sip.host cimport bracketed
from switchboard.sip.message cimport Message
from switchboard.sip._splice cimport forward_request


cpdef object plan(Routing routing, object target)
cdef object _given_hop(str next_hop)
cdef object _hop_of(object uri)
cpdef bytes compose(
    Received received, object plan, Routing routing, str branch, object to, int port, object policy, object added=*
)
cdef list _changed_routes(Message request, object plan)
