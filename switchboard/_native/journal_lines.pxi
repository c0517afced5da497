# The output buffer, and the call detail records in it as JSON lines.
#
# `_reserve` makes room for a whole line or item. The functions that follow write into that room without a check.

cdef struct Buffer:
    char *data
    Py_ssize_t size, room, count  # size, room: octets; count: entries


cdef int _reserve(Buffer *buffer, Py_ssize_t more) except -1:
    cdef Py_ssize_t room = 2 * (buffer.size + more) + 4096
    cdef char *data
    if buffer.size + more > buffer.room:
        data = <char *>PyMem_Realloc(buffer.data, room)
        if data == NULL:
            raise MemoryError
        buffer.data, buffer.room = data, room
    return 0


cdef inline void _put(Buffer *buffer, const char *data, Py_ssize_t size) noexcept nogil:
    memcpy(buffer.data + buffer.size, data, size)
    buffer.size += size


cdef inline void _put_literal(Buffer *buffer, const char *text) noexcept nogil:
    _put(buffer, text, strlen(text))


cdef inline void _put_digits(Buffer *buffer, int64_t number, int digits) noexcept nogil:
    cdef int at
    for at in range(digits - 1, -1, -1):
        buffer.data[buffer.size + at] = 48 + number % 10
        number //= 10
    buffer.size += digits


cdef inline int64_t _milliseconds(double at) noexcept nogil:
    return <int64_t>rint(at * 1000)


cdef void _put_timestamp(Buffer *buffer, double at, double correction_s) noexcept nogil:
    """As `record.shown`."""
    cdef int64_t millisecond = max(<int64_t>0, _milliseconds(at) + _milliseconds(correction_s))
    cdef time_t second = millisecond // 1000
    cdef tm parts
    gmtime_r(&second, &parts)
    _put_digits(buffer, parts.tm_year + 1900, 4)
    _put(buffer, "-", 1)
    _put_digits(buffer, parts.tm_mon + 1, 2)
    _put(buffer, "-", 1)
    _put_digits(buffer, parts.tm_mday, 2)
    _put(buffer, "T", 1)
    _put_digits(buffer, parts.tm_hour, 2)
    _put(buffer, ":", 1)
    _put_digits(buffer, parts.tm_min, 2)
    _put(buffer, ":", 1)
    _put_digits(buffer, parts.tm_sec, 2)
    _put(buffer, ".", 1)
    _put_digits(buffer, millisecond % 1000, 3)
    _put(buffer, "Z", 1)


cdef void _put_instant(Buffer *buffer, double at, double correction_s) noexcept nogil:
    if at == NEVER:
        _put(buffer, "null", 4)
        return
    _put(buffer, '"', 1)
    _put_timestamp(buffer, at, correction_s)
    _put(buffer, '"', 1)


cdef void _put_whole(Buffer *buffer, int64_t number) noexcept nogil:
    """Write a number that is not negative, without leading zeros."""
    cdef int64_t rest = number
    cdef int digits = 1
    while rest >= 10:
        rest //= 10
        digits += 1
    _put_digits(buffer, number, digits)


cdef void _put_duration(Buffer *buffer, int64_t millisecond) noexcept nogil:
    """Write seconds as Python prints a float: at least one digit after the point, and no further zeros at the end."""
    _put_whole(buffer, millisecond // 1000)
    _put(buffer, ".", 1)
    _put_digits(buffer, millisecond % 1000, 3)
    while buffer.data[buffer.size - 1] == 48 and buffer.data[buffer.size - 2] != 46:
        buffer.size -= 1


cdef int _put_line(
    Buffer *buffer, Entry *entry, const char *outcome, int status, int by, double correction_s
) except -1:
    """As `CallDetailRecord.to_line`."""
    cdef int64_t duration = 0
    _reserve(buffer, 1024 + entry.call_id.size + entry.caller.size + entry.callee.size + TEXT)
    _put_literal(buffer, '{"call_id": "')
    _put(buffer, entry.call_id.data, entry.call_id.size)
    _put_literal(buffer, '", "caller": "')
    _put(buffer, entry.caller.data, entry.caller.size)
    _put_literal(buffer, '", "callee": "')
    _put(buffer, entry.callee.data, entry.callee.size)
    _put_literal(buffer, '", "started_at": ')
    _put_instant(buffer, entry.started_at, correction_s)
    _put_literal(buffer, ', "ringing_at": ')
    _put_instant(buffer, entry.ringing_at, correction_s)
    _put_literal(buffer, ', "answered_at": ')
    _put_instant(buffer, entry.answered_at, correction_s)
    _put_literal(buffer, ', "ended_at": ')
    _put_instant(buffer, entry.ended_at, correction_s)
    _put_literal(buffer, ', "duration_s": ')
    if entry.answered_at != NEVER:
        duration = _milliseconds(entry.ended_at) - _milliseconds(entry.answered_at)
    _put_duration(buffer, max(0, duration))
    _put_literal(buffer, ', "outcome": "')
    _put_literal(buffer, outcome)
    _put_literal(buffer, '", "status": ')
    _put_digits(buffer, status, 3)
    _put_literal(buffer, ', "ended_by": "')
    _put_literal(buffer, _party_texts[by])
    _put(buffer, '"', 1)
    if entry.media != NULL:
        _put_media(buffer, entry.media)
    _put_literal(buffer, "}\n")
    buffer.count += 1
    return 0


cdef void _put_media(Buffer *buffer, const Media *media) noexcept nogil:
    _put_literal(buffer, ', "relayed": {"engine": "')
    _put(buffer, media.engine.data, media.engine.size)
    _put_literal(buffer, '", "from_caller": ')
    _put_whole(buffer, media.from_caller)
    _put_literal(buffer, ', "from_callee": ')
    _put_whole(buffer, media.from_callee)
    _put(buffer, "}", 1)
