"""Compiled twin of the rings of `transports/stream_table.py`, over a mapping of the same memory."""

cdef extern from "<sys/mman.h>" nogil:
    enum:
        PROT_READ
        PROT_WRITE
        MAP_SHARED
    void *MAP_FAILED
    void *mmap(void *, size_t, int, int, int, long)
    int munmap(void *, size_t)

cdef extern from "<stdatomic.h>" nogil:
    enum:
        memory_order_seq_cst
    void atomic_signal_fence(int)

cdef enum:
    SERIAL = 8

cdef struct RingHead:
    unsigned char serial[SERIAL]
    uint64_t counted
    uint64_t end


cdef class Rings:
    """Those of one table, whose descriptor is `fd`. A kill between two stores leaves them right."""

    cdef unsigned char *_memory
    cdef size_t _size
    cdef Py_ssize_t _heads_at, _octets_at, _ring_octets

    def __cinit__(self, int fd):
        module = import_module("switchboard.transports.stream_table")
        self._memory = NULL
        if module.HEAD.size != sizeof(RingHead) or reference("switchboard.sip.flow", "SERIAL_OCTETS") != SERIAL:
            raise ValueError("the compiled rings were built for another table")
        self._heads_at, self._octets_at, self._ring_octets = module.HEADS_AT, module.OCTETS_AT, module.RING_OCTETS
        self._size = self._octets_at + module.RINGS * self._ring_octets
        cdef void *memory = mmap(NULL, self._size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0)
        if memory == MAP_FAILED:
            PyErr_SetFromErrno(OSError)
        self._memory = <unsigned char *>memory

    def __dealloc__(self):
        if self._memory != NULL:
            munmap(self._memory, self._size)

    cpdef int put(self, Py_ssize_t ring, bytes serial, uint64_t counted, uint64_t start, bytes output) except -1:
        """Keep output that begins at `start`, and fits into a ring, as `StreamTable.take` does."""
        cdef const char *octets = PyBytes_AS_STRING(output)
        cdef Py_ssize_t size = PyBytes_GET_SIZE(output)
        cdef RingHead *head = self._head(ring)
        cdef unsigned char *base = self._memory + self._octets_at + ring * self._ring_octets
        cdef Py_ssize_t at = start % self._ring_octets
        cdef Py_ssize_t first = min(size, self._ring_octets - at)
        memcpy(base + at, octets, first)
        memcpy(base, octets + first, size - first)
        memcpy(head.serial, PyBytes_AS_STRING(serial), SERIAL)
        head.counted = counted
        atomic_signal_fence(memory_order_seq_cst)
        head.end = start + size
        atomic_signal_fence(memory_order_seq_cst)
        return 0

    cpdef int clear(self, Py_ssize_t ring) except -1:
        """All of it has left."""
        self._head(ring).end = 0
        return 0

    cdef RingHead *_head(self, Py_ssize_t ring) noexcept:
        return <RingHead *>(self._memory + self._heads_at) + ring
