"""Where fields stand, for other compiled modules. Offsets have to lie within the message."""

from libc.stdint cimport uint16_t

cdef enum:
    # of the offset index (switchboard.sip.scan)
    FIRST_HEADER = 8
    HEADER_WIDTH = 4


cdef inline bint is_space(unsigned char octet) noexcept nogil:
    """As bytes.strip sees it."""
    return octet == c' ' or 9 <= octet <= 13


cdef inline Py_ssize_t find_field(const uint16_t *index, Py_ssize_t count, uint16_t number) noexcept nogil:
    """Where the first field with this number stands in the index of `count` numbers; 0 if there is none."""
    cdef Py_ssize_t at = FIRST_HEADER
    while at + HEADER_WIDTH <= count and index[at] != number:
        at += HEADER_WIDTH
    return at if at + HEADER_WIDTH <= count else 0


cdef inline void trim(const unsigned char *data, Py_ssize_t *start, Py_ssize_t *end) noexcept nogil:
    while start[0] < end[0] and is_space(data[start[0]]):
        start[0] += 1
    while end[0] > start[0] and is_space(data[end[0] - 1]):
        end[0] -= 1


cdef inline Py_ssize_t first_value_end(const unsigned char *data, Py_ssize_t position, Py_ssize_t end) noexcept nogil:
    """Where the first comma stands that is not quoted; else `end`. A quote that is never closed quotes nothing."""
    cdef Py_ssize_t quote
    cdef bint is_quoting = True
    while position < end and data[position] != c',':
        if is_quoting and data[position] == c'"':
            quote = position + 1
            while quote < end and data[quote] != c'"':
                quote += 2 if data[quote] == c'\\' else 1
            is_quoting = quote < end
            if is_quoting:
                position = quote
        position += 1
    return position
