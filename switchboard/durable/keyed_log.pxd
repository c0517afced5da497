from switchboard.durable.segment cimport pack_commit, pack_record, record_size


cdef class KeyedLog:
    cdef readonly Py_ssize_t size
    cdef object _directory
    cdef Py_ssize_t _segment_bytes, _alive
    cdef dict _entries, _residents, _sizes
    cdef list _pending
    cdef long _oldest, _number
    cdef int _fd
    cpdef object put(self, bytes key, bytes value)
    cpdef object erase(self, bytes key)
    cpdef object commit(self)
    cpdef object close(self)
    cdef object _clean(self)
    cdef object _drop_empty_segments(self)
    cdef object _let_go(self, bytes key, tuple entry)
    cdef object _open_segment(self)


cdef object _write_all(int fd, bytes data)
