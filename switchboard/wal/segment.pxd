cdef object _RECORD, _COMMIT


cpdef bytes record_head(bytes key, Py_ssize_t value_length)
cpdef bytes commit_head(bytes records)
