from switchboard.sip.message cimport Message


cpdef list requested_contacts(Message request)
cpdef bint removes_all(Message request) except -1
cpdef object parse_expires(str text)
cdef list _contact_values(Message request)
cdef object _parse_contact(str text, object default)
