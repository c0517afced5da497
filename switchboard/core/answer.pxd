from switchboard.sip.message cimport Message


cpdef bint is_ack_of_such(Message message) except -1
