from switchboard.sip.host cimport format_hop
from switchboard.sip.uri cimport SipUri


cpdef bint is_spoken(SipUri uri) except -1
cpdef list by_priority(list targets)
cpdef object target_of(object bound, str user)
cpdef object along(str text, object uri, object flow, str user=*)
