"""Compiled twin of `transports/framing.py`: knows whole, plain messages; all else is the reference's."""

cdef extern from "<string.h>" nogil:
    void *memmem(const void *, size_t, const void *, size_t)

cdef extern from "<strings.h>" nogil:
    int strncasecmp(const char *, const char *, size_t)

cdef enum:
    HEAD_END = 4  # octets between head and body
    LENGTH_NAME = 14  # octets of Content-Length
    MOST_LENGTH_DIGITS = 7


def plain_size(bytes octets not None):
    """Return how long the message is with which the octets begin; 0 if that is not whole, or not plain."""
    return _plain_size(<const unsigned char *>PyBytes_AS_STRING(octets), PyBytes_GET_SIZE(octets))


cdef Py_ssize_t _plain_size(const unsigned char *data, Py_ssize_t size) noexcept nogil:
    """Plain: it begins with a letter, and exactly one Content-Length, in one line, says where it ends."""
    cdef const unsigned char *end
    cdef Py_ssize_t length
    if not size or not _is_letter(data[0]):
        return 0
    end = <const unsigned char *>memmem(data, size, b"\r\n\r\n", HEAD_END)
    if end == NULL:
        return 0
    length = _content_length(data, end)
    if length < 0 or end + HEAD_END - data + length > size:
        return 0
    return end + HEAD_END - data + length


cdef Py_ssize_t _content_length(const unsigned char *line, const unsigned char *end) noexcept nogil:
    """What the head says that ends at `end`, where CRLFCRLF stands; -1 if that is not plain."""
    cdef const unsigned char *value
    cdef Py_ssize_t length = -1
    while True:
        line = <const unsigned char *>memchr(line, c'\r', end - line)
        if line == NULL:
            return length
        line += 1
        if line[0] != c'\n':
            continue
        value = _length_value(line + 1, end)
        if value == NULL:
            continue
        if length >= 0:
            return -1
        length = _plain_number(value, end)
        if length < 0:
            return -1


cdef inline const unsigned char *_length_value(const unsigned char *line, const unsigned char *end) noexcept nogil:
    """Behind the colon, if the line is a Content-Length; NULL otherwise."""
    if line[0] | 0x20 == c'l':
        line += 1
    elif end - line > LENGTH_NAME and strncasecmp(<const char *>line, "content-length", LENGTH_NAME) == 0:
        line += LENGTH_NAME
    else:
        return NULL
    line = _behind_blanks(line, end)
    return line + 1 if line < end and line[0] == c':' else NULL


cdef inline Py_ssize_t _plain_number(const unsigned char *value, const unsigned char *end) noexcept nogil:
    """A number of few digits, alone in its line; -1 if there is something else."""
    cdef Py_ssize_t number = 0
    cdef const unsigned char *first = _behind_blanks(value, end)
    value = first
    while value < end and c'0' <= value[0] <= c'9' and value - first < MOST_LENGTH_DIGITS:
        number = 10 * number + value[0] - c'0'
        value += 1
    if value == first:
        return -1
    value = _behind_blanks(value, end)
    if value == end:
        return number
    if value[0] != c'\r' or value[1] != c'\n' or value[2] == c' ' or value[2] == c'\t':
        return -1
    return number
