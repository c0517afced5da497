cdef Py_ssize_t _RECORD_BYTES
cdef object _RECORD, _COMMIT


cpdef bytes pack_record(bytes key, bytes value)
cpdef bytes pack_commit(list records)
cpdef Py_ssize_t record_size(bytes key, bytes value) except -1
