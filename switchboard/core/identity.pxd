import cython

from switchboard.sip.message cimport Message

cdef int _FIRST, _LAST


@cython.locals(number=int, numbers=bytes)
cpdef list unproved_lines(Message message)
cdef list _lines_of(Message message)
