from switchboard.proxy.domains cimport OwnDomains
from switchboard.proxy.preprocess cimport Routing
from switchboard.proxy.received cimport Received


cpdef list by_priority(list targets)
cdef object _own_answer(Received received)
cdef object _target(object bound)
