"""The offset index (switchboard.sip.scan) and the numbers of fields; offsets have to lie within the message."""

cdef enum:
    STATUS = 0
    METHOD_END = 1
    URI_START = 2
    URI_END = 3
    HEADERS_START = 4
    HEADERS_END = 5
    BODY_START = 6
    BODY_END = 7
    FIRST_HEADER = 8
    HEADER_WIDTH = 4

    LARGEST = 65535  # octets of a datagram

cdef enum:
    VIA = 1
    FROM = 2
    TO = 3
    CALL_ID = 4
    CSEQ = 5
    MAX_FORWARDS = 7
    ROUTE = 8
    CONTENT_LENGTH = 10
    TIMESTAMP = 20
    USER_AGENT = 17


def _check_numbers():
    known = {"VIA": VIA, "FROM": FROM, "TO": TO, "CALL_ID": CALL_ID, "CSEQ": CSEQ, "MAX_FORWARDS": MAX_FORWARDS}
    known |= {"ROUTE": ROUTE, "CONTENT_LENGTH": CONTENT_LENGTH, "TIMESTAMP": TIMESTAMP, "USER_AGENT": USER_AGENT}
    if other := [name for name, number in known.items() if Header[name] != number]:
        raise ImportError(f"compiled with other numbers of the fields {other}")


_check_numbers()


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
