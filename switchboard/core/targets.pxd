from switchboard.core.domains cimport OwnDomains
from switchboard.core.preprocess cimport Routing
from switchboard.core.request cimport Received


cdef object _bad_event()
cdef object _own_answer(Received received)
