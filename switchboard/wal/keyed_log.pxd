import cython

from switchboard.wal.segment cimport commit_head, record_head

cdef Py_ssize_t SLACK, CLEANED_A_COMMIT, _HEADER_BYTES, _COMMIT_BYTES, _RECORD_BYTES, _ERASED


cdef class _Place:
    cdef long segment
    cdef Py_ssize_t start, length


@cython.locals(place=_Place)
cdef _Place _place(long segment, Py_ssize_t start, Py_ssize_t length)


cdef class KeyedLog:
    cdef readonly Py_ssize_t size
    cdef object _directory
    cdef Py_ssize_t _segment_bytes, _alive, _pending_bytes, _end
    cdef dict _entries, _readers, _residents, _sizes
    cdef list _pending
    cdef long _oldest, _number
    cdef int _fd
    @cython.locals(length=Py_ssize_t, before=Py_ssize_t, number=long)
    cpdef object put(self, bytes key, bytes value)
    cpdef object erase(self, bytes key)
    @cython.locals(written=Py_ssize_t)
    cpdef object commit(self)
    cpdef object close(self)
    @cython.locals(place=_Place)
    cdef object _clean(self)
    cdef object _drop_empty_segments(self)
    @cython.locals(place=_Place)
    cdef bint _let_go(self, bytes key) except -1
    @cython.locals(start=Py_ssize_t)
    cpdef bytes _read(self, _Place place)
    cdef object _reader(self, long number)
    cdef object _close_readers(self)
    @cython.locals(place=_Place)
    cdef object _replay(self)
    cdef object _open_segment(self)


cdef Py_ssize_t _write_all(int fd, bytes head, bytes data) except -1
