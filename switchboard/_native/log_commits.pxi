# Commits: one write each, also when the disk has refused earlier ones.
#
# Theory. After a failed write the file is cut to its last whole commit. From then on `pending` grows, and each commit
# after `retry_s` first claims the room for all of it, so that a write cannot fail in the middle. Meanwhile superseded
# records are removed from `pending` whenever it has doubled: its size stays proportional to what is alive. The mode of
# the newest file tells the next process that commits are missing (a full disk allows chmod).

cdef extern from *:
    """
    #ifdef __linux__
    #define room_behind(fd, end, size) fallocate(fd, 1, end, size)  /* FALLOC_FL_KEEP_SIZE */
    #else
    #define room_behind(fd, end, size) 0
    #endif
    """
    int room_behind(int fd, long end, long size) nogil


cdef int log_commit(Log *log) noexcept nogil:
    """Write what was put and erased since the last successful commit. -1: it still waits, see `log.error`."""
    cdef Py_ssize_t size
    if log.error:
        if monotonic() < log.retry_at:
            if log.pending_size > 2 * log.tidied + _log_waiting:
                _log_tidy(log)
            return -1
    elif log.pending_size == LOG_COMMIT_BYTES:
        return 0
    elif log.size > _log_slack * log.alive + 2 * log.segment_bytes:
        _log_clean(log)
    size = _log_write_pending(log)
    if size < 0:
        _log_fail(log, <int>-size)
        return -1
    log.end += size
    log.size += size
    log.last.size += size
    log.pending_size = LOG_COMMIT_BYTES
    log.error, log.retry_at = 0, INFINITY
    if log.is_behind:
        _log_mark(log, False)
    _log_shrink(log)
    _log_drop_empty(log)
    return 0 if log.last.size < log.segment_bytes else log_open_segment(log)


cdef Py_ssize_t _log_write_pending(Log *log) noexcept nogil:
    """Write what waits, if anything does. Returns the number of octets, or -errno."""
    cdef Py_ssize_t size
    cdef int error = 0 if log.fd >= 0 else _log_begin_file(log)
    if error == 0 and log.error:
        error = _log_claim(log)
        if error == 0:
            _log_tidy(log)
    if error < 0:
        return error
    size = log.pending_size
    if size == LOG_COMMIT_BYTES:
        size = 0
    else:
        _log_write_number(log.pending, crc32_of(log.pending + LOG_COMMIT_BYTES, size - LOG_COMMIT_BYTES))
        _log_write_number(log.pending + 4, <uint32_t>(size - LOG_COMMIT_BYTES))
        error = _log_write_all(log.fd, log.pending, size)
    if error < 0:
        _ftruncate(log.fd, log.end)
    elif log.error and _ftruncate(log.fd, log.end + size) < 0:
        error = -errno
    return size if error == 0 else error


cdef int _log_claim(Log *log) noexcept nogil:
    """After a failure: cut the file behind its last commit, and claim room for all that waits."""
    cdef int error = 0
    if _ftruncate(log.fd, log.end) < 0:
        return -errno
    if room_behind(log.fd, log.end, log.pending_size) < 0 and errno != EOPNOTSUPP and errno != ENOSYS:
        error = -errno
        _ftruncate(log.fd, log.end)
    return error


cdef void _log_fail(Log *log, int error) noexcept nogil:
    if log.error == 0:
        log.tidied = 0
        _log_mark(log, True)
    log.error = error
    log.failures += 1
    log.retry_at = monotonic() + log.retry_s


cdef void _log_mark(Log *log, bint is_behind) noexcept nogil:
    """Mark the newest file as one with missing commits, or all files as complete. A full disk allows chmod."""
    cdef LogSegment *segment = log.first
    log.is_behind = is_behind
    while segment != NULL:
        if not is_behind:
            _chmod(_log_path(log, segment), 0o600)
        elif segment.next == NULL or (segment.next == log.last and log.fd < 0):
            _chmod(_log_path(log, segment), 0o400)
            return
        segment = segment.next


cdef void _log_tidy(Log *log) noexcept nogil:
    """Remove superseded records from what waits. Erasures stay, because files contain their keys."""
    cdef size_t position = LOG_COMMIT_BYTES, kept = LOG_COMMIT_BYTES
    cdef Py_ssize_t before, size
    cdef unsigned char *at
    cdef uint32_t length
    cdef LogEntry *entry
    while position < log.pending_size:
        at = log.pending + position
        length = _log_number(at + 2)
        before = size = LOG_RECORD_BYTES + (at[0] | at[1] << 8)
        if length != LOG_ERASED:
            size += length
            entry = index_find(&log.index, at + LOG_RECORD_BYTES, before - LOG_RECORD_BYTES)
            if entry == NULL or entry.segment != log.last or entry.start != <Py_ssize_t>(log.end + position + before):
                position += size
                continue
            entry.start = log.end + kept + before
        memmove(log.pending + kept, at, size)
        position += size
        kept += size
    log.pending_size = kept
    log.tidied = kept - LOG_COMMIT_BYTES


cdef void _log_clean(Log *log) noexcept nogil:
    """Write some live values of the oldest segment again. A value that cannot be read stays where it is."""
    cdef Py_ssize_t left = _log_cleaned
    cdef LogEntry *entry = log.index.oldest
    cdef unsigned char *at
    while left > 0 and entry != NULL and entry.segment != log.last:
        at = _log_room(log, LOG_RECORD_BYTES + entry.key_size + <Py_ssize_t>entry.length)
        if at == NULL or log_read(log, entry, at + LOG_RECORD_BYTES + entry.key_size) < 0:
            return
        log_reserve(log, entry_key(entry), entry.key_size, entry.length)  # there is room, so nothing moves
        entry = log.index.oldest
        left -= 1
