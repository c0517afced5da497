"""Compiled twin of `scan.py`: takes well-formed messages, and leaves it to the reference to refuse the others.

So whatever is refused is refused in the reference's words. What is taken is taken with the same index.
"""

cdef enum:
    MOST_HEADERS = 16384  # of 4 octets each: a name of one, colon, CRLF
    ROOM = 8 + 4 * MOST_HEADERS
    LONGEST_NAME = 23
    NAMES_A_LENGTH = 16

    NAME_OCTET = 1
    URI_OCTET = 2

cdef struct Name:
    char text[LONGEST_NAME + 1]
    uint16_t number

cdef Name _names[LONGEST_NAME + 1][NAMES_A_LENGTH]
cdef int _name_counts[LONGEST_NAME + 1]
cdef unsigned char _class[256]
cdef unsigned char _lower[256]
cdef uint16_t _scanned[ROOM]


def _fill_tables():
    cdef bytes name
    cdef int size, octet
    for name, number in NUMBER_BY_WIRE_NAME.items():
        size = len(name)
        if size > LONGEST_NAME or _name_counts[size] == NAMES_A_LENGTH:
            raise ImportError(f"the compiled scanner has no room for the field name {name!r}")
        memcpy(_names[size][_name_counts[size]].text, PyBytes_AS_STRING(name), size)
        _names[size][_name_counts[size]].number = number
        _name_counts[size] += 1
    for octet in range(256):
        _lower[octet] = octet + 32 if 65 <= octet <= 90 else octet
        _class[octet] = 0 if octet in b" \t\r\n\0" else URI_OCTET
    for octet in b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-.!%*_+`'~":
        _class[octet] |= NAME_OCTET


_fill_tables()


def scan(data):
    """Return the packed offset index, None for what the reference has to look at."""
    cdef Py_ssize_t count
    if type(data) is not bytes:
        return None
    count = scan_into(<const unsigned char *>PyBytes_AS_STRING(data), PyBytes_GET_SIZE(data), _scanned)
    if count < 0:
        return None
    return PyBytes_FromStringAndSize(<char *>_scanned, count * sizeof(uint16_t))


cdef Py_ssize_t longest_index() noexcept nogil:
    """How many numbers `scan_into` may write."""
    return ROOM


cdef Py_ssize_t scan_into(const unsigned char *data, Py_ssize_t size, uint16_t *index) noexcept nogil:
    """Write the index and return how many numbers it has; -1 if the message is not well-formed."""
    cdef Py_ssize_t headers_start, headers_end, body_end, count = 0
    cdef int seen[32]
    if size > LARGEST:
        return -1
    headers_start = _start_line(data, size, index)
    if headers_start < 0:
        return -1
    headers_end = _header_lines(data, size, headers_start, index, seen, &count)
    if headers_end < 0 or not _counts_are_right(seen):
        return -1
    body_end = size
    if seen[CONTENT_LENGTH]:
        body_end = _body_end(data, size, headers_end + 2, index, count)
        if body_end < 0:
            return -1
    index[4] = <uint16_t>headers_start
    index[5] = <uint16_t>headers_end
    index[6] = <uint16_t>(headers_end + 2)
    index[7] = <uint16_t>body_end
    return count


cdef inline bint _counts_are_right(const int *seen) noexcept nogil:
    return (
        seen[VIA] > 0
        and seen[FROM] == 1
        and seen[TO] == 1
        and seen[CALL_ID] == 1
        and seen[CSEQ] == 1
        and seen[MAX_FORWARDS] <= 1
        and seen[CONTENT_LENGTH] <= 1
    )


cdef inline bint _is_version(const unsigned char *at) noexcept nogil:
    """Whether SIP/2.0 stands at `at`, in any case; 7 octets are there."""
    return (
        _lower[at[0]] == c's' and _lower[at[1]] == c'i' and _lower[at[2]] == c'p' and memcmp(at + 3, b"/2.0", 4) == 0
    )


cdef inline Py_ssize_t _start_line(const unsigned char *data, Py_ssize_t size, uint16_t *index) noexcept nogil:
    """Return the offset behind the start line, -1 if there is none."""
    if size >= 12 and data[7] == c' ' and _is_version(data):
        return _status_line(data, size, index)
    return _request_line(data, size, index)


cdef inline Py_ssize_t _status_line(const unsigned char *data, Py_ssize_t size, uint16_t *index) noexcept nogil:
    cdef Py_ssize_t end
    if not (c'1' <= data[8] <= c'6' and c'0' <= data[9] <= c'9' and c'0' <= data[10] <= c'9' and data[11] == c' '):
        return -1
    end = _line_end(data, size, 12)
    if end < 0:
        return -1
    index[0] = <uint16_t>(100 * (data[8] - c'0') + 10 * (data[9] - c'0') + data[10] - c'0')
    index[1] = 0
    index[2] = 12
    index[3] = <uint16_t>end
    return end + 2


cdef inline Py_ssize_t _request_line(const unsigned char *data, Py_ssize_t size, uint16_t *index) noexcept nogil:
    cdef Py_ssize_t position = 0, uri_start
    while position < size and _class[data[position]] & NAME_OCTET:
        position += 1
    if position == 0 or position >= size or data[position] != c' ':
        return -1
    uri_start = position + 1
    index[0] = 0
    index[1] = <uint16_t>position
    index[2] = <uint16_t>uri_start
    position = uri_start
    while position < size and _class[data[position]] & URI_OCTET:
        position += 1
    if position == uri_start or size - position < 10 or data[position] != c' ':
        return -1
    index[3] = <uint16_t>position
    if not _is_version(data + position + 1) or data[position + 8] != c'\r' or data[position + 9] != c'\n':
        return -1
    return position + 10


cdef inline Py_ssize_t _line_end(const unsigned char *data, Py_ssize_t size, Py_ssize_t position) noexcept nogil:
    """Return where the CRLF of the line stands; -1 if a bare CR or LF comes first, or nothing."""
    cdef const unsigned char *start = data + position
    cdef const unsigned char *feed = <const unsigned char *>memchr(start, c'\n', size - position)
    cdef Py_ssize_t length
    if feed == NULL or feed == start or (feed - 1)[0] != c'\r':
        return -1
    length = feed - 1 - start
    if length and memchr(start, c'\r', length) != NULL:
        return -1
    return position + length


cdef inline Py_ssize_t _header_lines(
    const unsigned char *data,
    Py_ssize_t size,
    Py_ssize_t position,
    uint16_t *index,
    int *seen,
    Py_ssize_t *count,
) noexcept nogil:
    """Return where the empty line stands, -1 if there is none. `seen`: how often each numbered field came."""
    cdef Py_ssize_t at = FIRST_HEADER, start, end
    cdef uint16_t number
    cdef int field
    for field in range(32):
        seen[field] = 0
    while size - position >= 2 and not (data[position] == c'\r' and data[position + 1] == c'\n'):
        start = position
        while position < size and _class[data[position]] & NAME_OCTET:
            position += 1
        if position == start:
            return -1
        number = _number(data + start, position - start)
        while position < size and (data[position] == c' ' or data[position] == c'\t'):
            position += 1
        if position >= size or data[position] != c':':
            return -1
        position += 1
        while position < size and (data[position] == c' ' or data[position] == c'\t'):
            position += 1
        end = _value_end(data, size, position)
        if end < 0:
            return -1
        if number < 32:
            seen[number] += 1
        index[at] = number
        index[at + 1] = <uint16_t>start
        index[at + 2] = <uint16_t>position
        index[at + 3] = <uint16_t>end
        at += HEADER_WIDTH
        position = end + 2
    count[0] = at
    return position if size - position >= 2 else -1


cdef inline Py_ssize_t _value_end(const unsigned char *data, Py_ssize_t size, Py_ssize_t position) noexcept nogil:
    """Return where the value ends, folded lines included; -1 if no CRLF ends it."""
    cdef Py_ssize_t end = _line_end(data, size, position)
    while end >= 0 and end + 2 < size and (data[end + 2] == c' ' or data[end + 2] == c'\t'):
        end = _line_end(data, size, end + 2)
    return end


cdef inline uint16_t _number(const unsigned char *name, Py_ssize_t size) noexcept nogil:
    """The number of the field called so, 0 if it has none."""
    cdef unsigned char text[LONGEST_NAME + 1]
    cdef Py_ssize_t position
    cdef int each
    if size > LONGEST_NAME or not _name_counts[size]:
        return 0
    for position in range(size):
        text[position] = _lower[name[position]]
    for each in range(_name_counts[size]):
        if memcmp(_names[size][each].text, text, size) == 0:
            return _names[size][each].number
    return 0


cdef Py_ssize_t _body_end(
    const unsigned char *data, Py_ssize_t size, Py_ssize_t body, const uint16_t *index, Py_ssize_t count
) noexcept nogil:
    """Return where Content-Length says that the body ends, -1 if that is no number or beyond the datagram."""
    cdef Py_ssize_t at = find_field(index, count, CONTENT_LENGTH), length = 0
    cdef Py_ssize_t start = index[at + 2], end = index[at + 3]
    trim(data, &start, &end)
    if start == end or end - start > 10:
        return -1
    while start < end:
        if not c'0' <= data[start] <= c'9':
            return -1
        length = length * 10 + data[start] - c'0'
        start += 1
    return body + length if body + length <= size else -1
