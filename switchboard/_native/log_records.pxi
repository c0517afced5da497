# Records as octets, and the memory in which those of the next commit gather.
#
# A record is: length of the key (2 octets), length of the value (4 octets; LOG_ERASED: the key is removed), the key,
# the value. Numbers are little-endian.


cdef unsigned char *_log_room(Log *log, Py_ssize_t size) noexcept nogil:
    """Room for the next `size` octets of the commit; NULL: out of memory, or more than a commit may contain."""
    cdef size_t needed = log.pending_size + size
    cdef unsigned char *pending
    if needed > log.pending_room:
        if needed >= LOG_ERASED:
            return NULL
        pending = <unsigned char *>realloc(log.pending, 2 * needed)
        if pending == NULL:
            return NULL
        log.pending, log.pending_room = pending, 2 * needed
    return log.pending + log.pending_size


cdef inline void _log_shrink(Log *log) noexcept nogil:
    if log.pending_room > LOG_PENDING_KEPT:
        free(log.pending)
        log.pending, log.pending_room = NULL, 0


cdef unsigned char *_log_write_head(
    unsigned char *at, const unsigned char *key, Py_ssize_t key_size, uint32_t length
) noexcept nogil:
    at[0] = <unsigned char>key_size
    at[1] = <unsigned char>(key_size >> 8)
    _log_write_number(at + 2, length)
    memcpy(at + LOG_RECORD_BYTES, key, key_size)
    return at + LOG_RECORD_BYTES + key_size


cdef inline void _log_write_number(unsigned char *at, uint32_t number) noexcept nogil:
    cdef int each
    for each in range(4):
        at[each] = <unsigned char>(number >> 8 * each)


cdef inline uint32_t _log_number(const unsigned char *at) noexcept nogil:
    return at[0] | <uint32_t>at[1] << 8 | <uint32_t>at[2] << 16 | <uint32_t>at[3] << 24
