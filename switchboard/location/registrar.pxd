from switchboard.sip.message cimport Message


cdef class Registrar:
    cdef object _authenticator, _store, _is_own, _policy
    cdef readonly object answers
    cdef bytes _secret
    cpdef object process(self, Message request, tuple source, double now_at)
    cpdef list bindings(self, str user, double now_at)
    cdef str _user(self, Message request)
    cdef list _register(self, str user, Message request, tuple source, double now_at)
    cdef list _wanted(self, Message request, object update, list bound, double now_at)
    cdef object _bind(self, list bindings, object contact, object update, double now_at)
    cdef object _granted(self, object expires)
    cdef str _to_tag(self, Message request)


cdef object _check_require(Message request)
cdef object _address_of_record(Message request)
cdef bint _is_among(object binding, list contacts) except -1
cdef bint _is_repeated(object update, list touched) except -1
cdef str _format_contact(object binding, double now_at)
