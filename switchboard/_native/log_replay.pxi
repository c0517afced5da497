# What a new process reads: the commits of a file, in order, as far as they are whole.

cdef Py_ssize_t log_replay(Log *log, const unsigned char *data, Py_ssize_t position, Py_ssize_t size) noexcept nogil:
    """Apply the whole commits in `data`, the content of the newest segment's file, from `position` on.

    Returns where the first commit begins that is not whole, or `size` if all are. -1: out of memory.
    """
    cdef Py_ssize_t start, end
    while position + LOG_COMMIT_BYTES <= size:
        start = position + LOG_COMMIT_BYTES
        end = start + _log_number(data + position + 4)
        if end > size or not _log_holds_records(data, start, end) or _log_number(data + position) != crc32_of(
            data + start, end - start
        ):
            return position
        if _log_replay_commit(log, data, start, end) < 0:
            return -1
        position = end
    return position


cdef bint _log_holds_records(const unsigned char *data, Py_ssize_t position, Py_ssize_t end) noexcept nogil:
    """Whether this range consists of whole records, and is not empty."""
    cdef uint32_t length
    if position == end:
        return False
    while position + LOG_RECORD_BYTES <= end:
        length = _log_number(data + position + 2)
        position += LOG_RECORD_BYTES + (data[position] | data[position + 1] << 8)
        if length != LOG_ERASED:
            position += length
    return position == end


cdef int _log_replay_commit(Log *log, const unsigned char *data, Py_ssize_t position, Py_ssize_t end) noexcept nogil:
    """-1: out of memory."""
    cdef Py_ssize_t key_size
    cdef const unsigned char *key
    cdef uint32_t length
    cdef LogEntry *entry
    while position < end:
        key_size = data[position] | data[position + 1] << 8
        length = _log_number(data + position + 2)
        key = data + position + LOG_RECORD_BYTES
        position += LOG_RECORD_BYTES + key_size
        if length != LOG_ERASED:
            if _log_set(log, key, key_size, position, length) < 0:
                return -1
            position += length
            continue
        entry = index_find(&log.index, key, key_size)
        if entry != NULL:
            _log_let_go(log, entry)
            index_remove(&log.index, entry)
    return 0
