# The files of a log: how they are named, created, read and removed.

cdef extern from "fcntl.h" nogil:
    int O_APPEND, O_CLOEXEC, O_CREAT, O_RDONLY, O_TRUNC, O_WRONLY
    int _open "open"(const char *path, int flags, ...)

cdef extern from "unistd.h" nogil:
    int _close "close"(int fd)
    int _unlink "unlink"(const char *path)
    Py_ssize_t _write "write"(int fd, const void *data, size_t size)
    Py_ssize_t _pread "pread"(int fd, void *data, size_t size, long offset)
    int _ftruncate "ftruncate"(int fd, long size)

cdef extern from "sys/stat.h" nogil:
    int _chmod "chmod"(const char *path, unsigned int mode)
    int _mkdir "mkdir"(const char *path, unsigned int mode)


cdef int log_open_segment(Log *log) noexcept nogil:
    """Make the next file the newest. If it cannot be created, the next commit tries again. -1: out of memory."""
    if log_add_segment(log, log.last.number + 1 if log.last != NULL else 1) == NULL:
        return -1
    if log.fd >= 0:
        _close(log.fd)
        log.fd = -1
    log.end = LOG_HEADER_BYTES
    _log_begin_file(log)
    return 0


cdef int _log_begin_file(Log *log) noexcept nogil:
    cdef int error = 0
    cdef int fd = _log_create(log)
    if fd == -ENOENT and _mkdir(log.directory, 0o700) == 0:
        fd = _log_create(log)
    if fd >= 0:
        error = _log_write_all(fd, log.header, LOG_HEADER_BYTES)
    if fd < 0 or error < 0:
        if fd >= 0:
            _close(fd)
        return error if error < 0 else fd
    log.fd = fd
    return 0


cdef int _log_create(Log *log) noexcept nogil:
    cdef int fd = _open(_log_path(log, log.last), O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0o600)
    return fd if fd >= 0 else -errno


cdef LogSegment *log_add_segment(Log *log, long number) noexcept nogil:
    """Append a segment to the list; NULL: out of memory."""
    cdef LogSegment *segment = <LogSegment *>malloc(sizeof(LogSegment))
    if segment == NULL:
        return NULL
    segment.next, segment.number, segment.size, segment.residents, segment.reader = NULL, number, 0, 0, -1
    if log.last != NULL:
        log.last.next = segment
    else:
        log.first = segment
    log.last = segment
    return segment


cdef void _log_drop_empty(Log *log) noexcept nogil:
    """Remove segments without live values, the oldest first: an erasure has to outlive the record that it erases."""
    cdef LogSegment *segment
    while log.first != log.last and log.first.residents == 0:
        segment = log.first
        if _unlink(_log_path(log, segment)) < 0 and errno != ENOENT:
            return
        log.size -= segment.size
        if segment.reader >= 0:
            _close(segment.reader)
            log.readers -= 1
        log.first = segment.next
        free(segment)


cdef int _log_reader(Log *log, LogSegment *segment) noexcept nogil:
    if segment.reader < 0:
        if log.readers >= _log_most_read:
            _log_close_readers(log)
        segment.reader = _open(_log_path(log, segment), O_RDONLY | O_CLOEXEC)
        if segment.reader < 0:
            return -errno
        log.readers += 1
    return segment.reader


cdef void _log_close_readers(Log *log) noexcept nogil:
    cdef LogSegment *segment = log.first
    while segment != NULL:
        if segment.reader >= 0:
            _close(segment.reader)
            segment.reader = -1
        segment = segment.next
    log.readers = 0


cdef const char *_log_path(Log *log, LogSegment *segment) noexcept nogil:
    snprintf(log.path, strlen(log.directory) + LOG_NAME_ROOM, b"%s/%010ld.log", log.directory, segment.number)
    return log.path


cdef int _log_write_all(int fd, const unsigned char *data, Py_ssize_t size) noexcept nogil:
    cdef Py_ssize_t written
    while size > 0:
        written = _write(fd, data, size)
        if written >= 0:
            data += written
            size -= written
        elif errno != EINTR:
            return -errno
    return 0
