from switchboard.sip.message cimport Message

cdef bytes _SESSION_EXPIRES


cpdef int session_expires_s(Message response) except -1
