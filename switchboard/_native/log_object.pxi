# The log as an object for Python: the interface of `KeyedLogInPython`.


cdef int _log_check(int error) except -1:
    """Raise OSError for -errno."""
    if error < 0:
        raise OSError(-error, os.strerror(-error))
    return 0


cdef class NativeKeyedLog:
    """Keys and values as bytes, in the files of `directory`. One process writes at a time.

    SegmentError if a file there cannot be read.
    """

    cdef Log log

    def __cinit__(self):
        memset(&self.log, 0, sizeof(Log))
        self.log.fd = -1

    def __init__(self, directory, Py_ssize_t segment_bytes=SEGMENT_BYTES, double retry_s=RETRY_S):
        cdef bytes encoded = os.fsencode(directory), header = HEADER, seed = os.urandom(sizeof(uint64_t))
        log_free(&self.log)
        _log_check(
            log_init(&self.log, encoded, header, segment_bytes, retry_s, (<const uint64_t *><const char *>seed)[0])
        )
        for number, path in files_of(directory):
            self._replay(number, path)
        with suppress(OSError):  # the first commit tries again
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        if log_open_segment(&self.log) < 0:
            raise MemoryError

    def __dealloc__(self):
        log_free(&self.log)

    cdef int _replay(self, uint64_t number, path) except -1:
        cdef bytes data = contents(path)
        if data is None:
            data, self.log.is_behind = b"", True
        cdef int skipped = not check_header(path, data)
        self.log.is_behind = self.log.is_behind or is_behind(path)
        if log_add_segment(&self.log, number) == NULL:
            raise MemoryError
        self.log.last.size = PyBytes_GET_SIZE(data)
        self.log.size += self.log.last.size
        return self._replay_all(path, data, skipped)

    cdef int _replay_all(self, path, bytes data, int skipped) except -1:
        """Skip damaged commits if others follow. `skipped`: 1 if the header was damaged, else 0."""
        cdef Py_ssize_t position = LOG_HEADER_BYTES, size = PyBytes_GET_SIZE(data)
        while position and position < size:
            position = log_replay(&self.log, <const unsigned char *>PyBytes_AS_STRING(data), position, size)
            if position < 0:
                raise MemoryError
            if position < size:
                position = next_commit(data, position)
                skipped += position > 0
        if skipped:
            report_skipped(path, skipped)
            self.log.is_behind = True
        return 0

    @property
    def size(self):
        """Octets of all segments."""
        return self.log.size

    @property
    def error(self):
        """The errno of the last write; 0: it succeeded."""
        return self.log.error

    @property
    def retry_at(self):
        """When a commit tries again after a failure (monotonic s); infinite: the last write succeeded."""
        return self.log.retry_at

    @property
    def failures(self):
        """Writes that failed."""
        return self.log.failures

    @property
    def unwritten(self):
        """Octets that wait for a commit."""
        return self.log.pending_size - LOG_COMMIT_BYTES

    @property
    def is_behind(self):
        """Whether this process, or the one before, has decided more than the files contain."""
        return self.log.is_behind

    def __len__(self):
        return self.log.index.count

    def __getitem__(self, bytes key not None):
        cdef const unsigned char *octets = <const unsigned char *>PyBytes_AS_STRING(key)
        cdef LogEntry *entry = index_find(&self.log.index, octets, PyBytes_GET_SIZE(key))
        if entry == NULL:
            raise KeyError(key)
        cdef bytes value = PyBytes_FromStringAndSize(NULL, entry.length)
        _log_check(log_read(&self.log, entry, <unsigned char *>PyBytes_AS_STRING(value)))
        return value

    def __iter__(self):
        return iter(self._keys())

    def items(self):
        """Every key and its value."""
        return ((key, self[key]) for key in self._keys())

    cdef list _keys(self):
        cdef list keys = []
        cdef LogEntry *entry = self.log.index.oldest
        while entry != NULL:
            keys.append(PyBytes_FromStringAndSize(<char *>entry_key(entry), entry.key_size))
            entry = entry.newer
        return keys

    cpdef put(self, bytes key, bytes value):
        """Set `key`; durable with the next commit. ValueError: it is longer than 65,535 octets."""
        cdef const unsigned char *octets = <const unsigned char *>PyBytes_AS_STRING(key)
        cdef const unsigned char *data = <const unsigned char *>PyBytes_AS_STRING(value)
        if PyBytes_GET_SIZE(key) > LOG_LONGEST_KEY:
            raise ValueError(f"A key of {len(key)} octets is too long for a log.")
        if log_put(&self.log, octets, PyBytes_GET_SIZE(key), data, PyBytes_GET_SIZE(value)) < 0:
            raise MemoryError

    cpdef erase(self, bytes key):
        """Remove `key` if it is there; durable with the next commit."""
        if log_erase(&self.log, <const unsigned char *>PyBytes_AS_STRING(key), PyBytes_GET_SIZE(key)) < 0:
            raise MemoryError

    def put_records(self, bytes records not None):
        """Apply `records` (trusted), which have the form of a segment."""
        if log_put_records(&self.log, <const unsigned char *>PyBytes_AS_STRING(records), PyBytes_GET_SIZE(records)) < 0:
            raise MemoryError

    def commit(self):
        """Write what was put and erased since the last commit that succeeded: one write.

        If the write fails, `error` says why, and a commit that comes `retry_s` later or more tries again.
        """
        with nogil:
            log_commit(&self.log)

    def close(self):
        """Close the file; what was not committed is lost."""
        log_close(&self.log)
