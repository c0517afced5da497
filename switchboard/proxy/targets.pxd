from switchboard.proxy.domains cimport OwnDomains
from switchboard.proxy.preprocess cimport Routing
from switchboard.proxy.received cimport Received


cdef object _bad_event()
cdef object _own_answer(Received received)
