cpdef bint is_translated(str contact, str via, str source) except -1
cpdef bint is_private(str host) except -1
