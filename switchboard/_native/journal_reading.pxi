# Packed events, read from the frame without a copy: texts are views of the frame.
#
# Each reader advances the cursor behind the value that it returns. If the value has another type or is incomplete, it
# returns -1 or False, and the caller leaves the event to Python.

cdef struct Cursor:
    const uint8_t *at
    const uint8_t *end


cdef struct Event:
    Text kind, call_id, from_tag, one, two, three
    int64_t number, status, session_s
    int64_t packets[2]
    double at
    bint flag
    int details  # number of values that follow the common ones


cdef inline int64_t _number(Cursor *cursor, int octets) noexcept nogil:
    """Read a big-endian number; -1 if the frame is too short, or the number exceeds 62 bits."""
    cdef uint64_t number = 0
    cdef int at
    if cursor.end - cursor.at < octets:
        return -1
    for at in range(octets):
        number = number << 8 | cursor.at[at]
    cursor.at += octets
    return <int64_t>number if number < <uint64_t>1 << 62 else -1


cdef inline int64_t _integer(Cursor *cursor) noexcept nogil:
    """Read a whole number that is not negative; -1 if there is none."""
    cdef int64_t octet = _number(cursor, 1)
    if octet < 0x80:
        return octet
    if 0xcc <= octet <= 0xcf:
        return _number(cursor, 1 << (octet - 0xcc))
    return -1


cdef inline int64_t _array(Cursor *cursor) noexcept nogil:
    """Read the length of a list; -1 if no list begins here."""
    cdef int64_t octet = _number(cursor, 1)
    if 0x90 <= octet <= 0x9f:
        return octet - 0x90
    if octet == 0xdc or octet == 0xdd:
        return _number(cursor, 2 << (octet - 0xdc))
    return -1


cdef inline bint _text(Cursor *cursor, Text *text) noexcept nogil:
    cdef int64_t octet = _number(cursor, 1)
    if 0xa0 <= octet <= 0xbf:
        text.size = octet - 0xa0
    elif 0xd9 <= octet <= 0xdb:
        text.size = _number(cursor, 1 << (octet - 0xd9))
    else:
        return False
    text.data = <const char *>cursor.at
    if text.size < 0 or cursor.end - cursor.at < text.size:
        return False
    cursor.at += text.size
    return True


cdef bint _skip_scalar(Cursor *cursor) noexcept nogil:
    """Skip a value that is neither a list nor a map; False if there is none."""
    cdef Text text
    cdef int64_t octet
    if cursor.at == cursor.end:
        return False
    octet = cursor.at[0]
    if 0xa0 <= octet <= 0xbf or 0xd9 <= octet <= 0xdb:
        return _text(cursor, &text)
    cursor.at += 1
    if octet < 0x80 or octet >= 0xe0 or octet == 0xc0 or octet == 0xc2 or octet == 0xc3:
        return True
    if octet == 0xca or octet == 0xcb:
        octet = 4 << (octet - 0xca)
    elif 0xcc <= octet <= 0xcf:
        octet = 1 << (octet - 0xcc)
    elif 0xd0 <= octet <= 0xd3:
        octet = 1 << (octet - 0xd0)
    else:
        return False
    if cursor.end - cursor.at < octet:
        return False
    cursor.at += octet
    return True


cdef bint _skip_item(Cursor *cursor) noexcept nogil:
    """Skip an item of a frame; False if it is neither a scalar nor a list of scalars."""
    cdef int64_t left = 1
    if cursor.at < cursor.end and (0x90 <= cursor.at[0] <= 0x9f or cursor.at[0] == 0xdc):
        left = _array(cursor)
    while left > 0:
        if not _skip_scalar(cursor):
            return False
        left -= 1
    return left == 0


cdef inline bint _is_plain(Text text) noexcept nogil:
    """Whether records contain the text unchanged."""
    cdef Py_ssize_t at
    if text.size > TEXT:
        return False
    for at in range(text.size):
        if not 0x20 <= text.data[at] < 0x7f or text.data[at] == c'"' or text.data[at] == c'\\':
            return False
    return True


cdef inline bint _says(Text text, const char *word) noexcept nogil:
    return text.size == <Py_ssize_t>strlen(word) and memcmp(text.data, word, text.size) == 0


cdef inline bint _instant(Cursor *cursor, double *at) noexcept nogil:
    cdef uint64_t pattern = 0
    cdef int octet
    if cursor.end - cursor.at < 9 or cursor.at[0] != 0xcb:
        return False
    for octet in range(1, 9):
        pattern = pattern << 8 | cursor.at[octet]
    memcpy(at, &pattern, 8)
    cursor.at += 9
    return EARLIEST <= at[0] < LATEST


cdef inline bint _flag(Cursor *cursor, bint *flag) noexcept nogil:
    cdef int64_t octet = _number(cursor, 1)
    flag[0] = octet == 0xc3
    return octet == 0xc2 or octet == 0xc3


cdef bint _read_event(Cursor *cursor, Event *event) noexcept nogil:
    """Read the values that all kinds of events share; False if the item is not a plain event."""
    event.details = <int>_array(cursor) - 5
    event.number = _integer(cursor)
    return (
        event.details >= 0
        and event.number >= 0
        and _text(cursor, &event.kind)
        and _text(cursor, &event.call_id)
        and _text(cursor, &event.from_tag)
        and _instant(cursor, &event.at)
        and _is_plain(event.call_id)
        and _is_plain(event.from_tag)
    )


cdef inline int _party(Text text) noexcept nogil:
    cdef int by
    for by in range(PARTIES):
        if _says(text, _party_texts[by]):
            return by
    return -1
