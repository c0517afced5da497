"""Compiled twin of `bus/tap.py`: picks items out of a packed frame. Odd frames are left to the reference."""

cdef enum:
    NOT_PLAIN = -1
    FLOAT = 0xCB

cdef int _version = 0
# CRC-32 of half an octet at a time, as zlib.crc32 computes it
cdef uint32_t[16] _halves = [
    0x00000000, 0x1db71064, 0x3b6e20c8, 0x26d930ac, 0x76dc4190, 0x6b6b51f4, 0x4db26158, 0x5005713c,
    0xedb88320, 0xf00f9344, 0xd6d6a3e8, 0xcb61b38c, 0x9b64c2b0, 0x86d3d2d4, 0xa00ae278, 0xbdbdf21c,
]


def pick(bytes frame not None, int halvings):
    """Return the same as `pick_in_python`."""
    cdef Cursor cursor
    cdef const unsigned char *start = <const unsigned char *>PyBytes_AS_STRING(frame)
    cdef const unsigned char *subject
    cdef const unsigned char *item
    cdef Py_ssize_t size, head, count, number, kept = 0
    cdef unsigned char *room
    cdef unsigned char *to
    cdef int found = 0
    global _version
    if not halvings:
        return frame
    if not _version:
        _version = reference("switchboard.bus.frames", "VERSION")
    cursor.at, cursor.end = start, start + PyBytes_GET_SIZE(frame)
    if read_array(&cursor) != 3 or read_number(&cursor, 1) != _version or not read_text(&cursor, &subject, &size):
        return reference("switchboard.bus.tap", "pick_in_python")(frame, halvings)
    head = cursor.at - start
    count = read_array(&cursor)
    room = to = <unsigned char *>PyMem_Malloc(PyBytes_GET_SIZE(frame) + 1)
    if room == NULL:
        raise MemoryError
    try:
        for number in range(count):
            item = cursor.at
            found = _take_item(&cursor, (<uint32_t>1 << halvings) - 1)
            if found == NOT_PLAIN:
                break
            if found:
                memcpy(to, item, cursor.at - item)
                to += cursor.at - item
                kept += 1
        if count < 0 or found == NOT_PLAIN or cursor.at != cursor.end:
            return reference("switchboard.bus.tap", "pick_in_python")(frame, halvings)
        return _frame(start, head, kept, room, to - room) if kept else b""
    finally:
        PyMem_Free(room)


cdef bytes _frame(
    const unsigned char *start, Py_ssize_t head, Py_ssize_t count, const unsigned char *items, Py_ssize_t size
):
    """Join the octets ahead of the list, the head of the list, and its items."""
    cdef bytes frame = PyBytes_FromStringAndSize(NULL, head + list_head(count) + size)
    cdef unsigned char *to = <unsigned char *>PyBytes_AS_STRING(frame)
    memcpy(to, start, head)
    memcpy(write_list_head(to + head, count), items, size)
    return frame


cdef int _take_item(Cursor *cursor, uint32_t mask) noexcept:
    """Skip the next item. Returns whether its call is in the sample, or NOT_PLAIN."""
    cdef const unsigned char *message = NULL
    cdef Py_ssize_t count, number, size = 0
    if cursor.at < cursor.end and cursor.at[0] == FLOAT:
        cursor.at += 1
        return False if _skip(cursor, 8) else NOT_PLAIN
    count = read_array(cursor)
    for number in range(count):
        if not _take_value(cursor, &message, &size):
            return NOT_PLAIN
    return NOT_PLAIN if count < 0 else message != NULL and _is_sampled(message, size, mask)


cdef bint _take_value(Cursor *cursor, const unsigned char **message, Py_ssize_t *size) noexcept:
    """Skip a text, a small number or octets, and return the octets. False for any other value."""
    cdef const unsigned char *text
    cdef Py_ssize_t length
    cdef int first = cursor.at[0] if cursor.at < cursor.end else 0xC1
    if first < 0x80:
        return _skip(cursor, 1)
    if first == 0xCC or first == 0xCD:
        return _skip(cursor, first - 0xCC + 2)
    if 0xC4 <= first <= 0xC6:
        return read_binary(cursor, message, size)
    return read_text(cursor, &text, &length)


cdef inline bint _skip(Cursor *cursor, Py_ssize_t octets) noexcept:
    if cursor.end - cursor.at < octets:
        return False
    cursor.at += octets
    return True


cdef bint _is_sampled(const unsigned char *message, Py_ssize_t size, uint32_t mask) noexcept:
    cdef const unsigned char *end = message + size
    cdef const unsigned char *at = message
    cdef const unsigned char *value
    while True:
        at = <const unsigned char *>memchr(at, c'\n', end - at)
        if at == NULL:
            return False
        at += 1
        value = _behind_name(at, end)
        if value != NULL:
            return _value_in_share(value, end, mask)


cdef const unsigned char *_behind_name(const unsigned char *at, const unsigned char *end) noexcept:
    """The beginning of the value if the field is a Call-ID; NULL for another field."""
    cdef const char *name = b"call-id"
    cdef int letter
    if at < end and at[0] | 0x20 == c'i':
        at += 1
    else:
        if end - at < 8:
            return NULL
        for letter in range(7):
            if (at[letter] | (0 if name[letter] == c'-' else 0x20)) != name[letter]:
                return NULL
        at += 7
    at = _behind_blanks(at, end)
    return _behind_blanks(at + 1, end) if at < end and at[0] == c':' else NULL


cdef bint _value_in_share(const unsigned char *at, const unsigned char *end, uint32_t mask) noexcept:
    cdef const unsigned char *last = at
    cdef const unsigned char *each
    cdef uint32_t remainder = 0xFFFFFFFF
    while last < end and last[0] != c'\r' and last[0] != c'\n':
        last += 1
    while last > at and ((last - 1)[0] == c' ' or (last - 1)[0] == c'\t'):
        last -= 1
    if last == at:
        return False
    each = at
    while each < last:
        remainder = remainder >> 4 ^ _halves[(remainder ^ each[0]) & 15]
        remainder = remainder >> 4 ^ _halves[(remainder ^ each[0] >> 4) & 15]
        each += 1
    return not (~remainder) >> 16 & mask


cdef inline const unsigned char *_behind_blanks(const unsigned char *at, const unsigned char *end) noexcept nogil:
    while at < end and (at[0] == c' ' or at[0] == c'\t'):
        at += 1
    return at
