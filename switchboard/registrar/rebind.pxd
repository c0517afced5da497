from switchboard.sip.message cimport Message


cpdef object rebind(Message request, object update, list bound, object policy, double now_at)
cdef object _fit(list kept, list made, Py_ssize_t most)
cdef Py_ssize_t _octets(object bindings) except -1
cdef bint _is_among(object binding, list contacts) except -1
cdef bint _is_successor(object contact, object binding) except -1
cdef bint _is_repeated(object update, list touched) except -1
cdef object _granted(object expires, object policy)
