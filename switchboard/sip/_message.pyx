# cython: boundscheck=False, wraparound=False
"""Works out in one pass what `Message` would work out bit by bit, for fields as well-behaved peers write them.

What it leaves out, the properties of `Message` find; they are the reference.
"""

from cpython.array cimport array, clone
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.unicode cimport PyUnicode_DecodeASCII, PyUnicode_DecodeUTF8
from libc.stdint cimport uint8_t, uint16_t
from libc.string cimport memchr, memcmp, memcpy

from switchboard.sip._fields cimport FIRST_HEADER, HEADER_WIDTH, find_field, first_value_end, trim

from switchboard.sip.address import NameAddr
from switchboard.sip.grammar import check_host
from switchboard.sip.headers import Header
from switchboard.sip.via import Via

cdef enum:
    # of the offset index (switchboard.sip.scan)
    STATUS = 0
    METHOD_END = 1
    URI_START = 2
    URI_END = 3

    # what an octet may be part of
    TOKEN = 1
    HOST = 2
    VIA_VALUE = 4
    URI = 8
    SCHEME = 16
    DISPLAY = 32

    MOST_PARAMS = 8
    MOST_DIGITS = 9
    LARGEST_PORT = 65535

cdef uint16_t VIA = Header.VIA, FROM = Header.FROM, TO = Header.TO
cdef uint16_t CALL_ID = Header.CALL_ID, CSEQ = Header.CSEQ
cdef uint8_t _parts[256]
cdef object _new = tuple.__new__
cdef array _row = array("H")


def _know_octets():
    token = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-.!%*_+`'~"
    for octet in range(256):
        one = bytes([octet])
        _parts[octet] = (
            (TOKEN | VIA_VALUE if one in token else 0)
            | (HOST if one.isalnum() or one in b"-._" else 0)
            | (VIA_VALUE if one in b":[]" else 0)
            | (URI if 0x20 < octet < 0x7F and one not in b'<>"' else 0)
            | (SCHEME if one.isalnum() or one in b"+.-" else 0)
            | (DISPLAY if 0x20 <= octet < 0x7F and one not in b'"\\' else 0)
        )


_know_octets()


cdef inline const unsigned char *_run(const unsigned char *at, const unsigned char *end, uint8_t part) noexcept:
    """Where the octets that may be part of such a thing end."""
    while at < end and _parts[at[0]] & part:
        at += 1
    return at


cdef inline str _ascii(const unsigned char *start, const unsigned char *end):
    return PyUnicode_DecodeASCII(<const char *>start, end - start, NULL)


cdef inline str _text(const unsigned char *start, const unsigned char *end):
    return PyUnicode_DecodeUTF8(<const char *>start, end - start, b"surrogateescape")


cdef inline long _number(const unsigned char *start, const unsigned char *end) noexcept:
    """The decimal number; -1 if it is none, or a long one."""
    cdef long number = 0
    if not start < end <= start + MOST_DIGITS:
        return -1
    while start < end:
        if not c'0' <= start[0] <= c'9':
            return -1
        number = number * 10 + start[0] - c'0'
        start += 1
    return number


cdef tuple _params(const unsigned char *at, const unsigned char *end, uint8_t part):
    """Return `;name=value;flag` as (name in lower case, value or None) each; None if it is anything else."""
    cdef list found = []
    cdef const unsigned char *stop
    cdef str name
    cdef object text
    while at < end:
        stop = _run(at + 1, end, TOKEN)
        if at[0] != c';' or stop == at + 1 or len(found) == MOST_PARAMS:
            return None
        name, text, at = _ascii(at + 1, stop).lower(), None, stop
        if at < end and at[0] == c'=':
            stop = _run(at + 1, end, part)
            if stop == at + 1:
                return None
            text, at = _ascii(at + 1, stop), stop
        for pair in found:
            if (<tuple>pair)[0] == name:
                return None
        found.append((name, text))
    return tuple(found)


cdef const unsigned char *_host_end(const unsigned char *at, const unsigned char *end) noexcept:
    """Where a host name or an IPv4 address ends; `at` if none is there."""
    cdef const unsigned char *stop = _run(at, end, HOST)
    cdef unsigned char last = c'.'
    cdef const unsigned char *here = at
    while here < stop:
        if (here[0] == c'.' and last in (c'.', c'-')) or (here[0] == c'-' and last == c'.'):
            return at
        last = here[0]
        here += 1
    return at if last == c'-' else stop


cdef bint _is_plain_ipv4(const unsigned char *at, const unsigned char *end) noexcept:
    """Whether it is an IPv4 address for certain; False sends the host to the reference."""
    cdef int groups = 0, digits, number
    while at < end:
        digits = number = 0
        while at < end and c'0' <= at[0] <= c'9' and digits < 3:
            number = number * 10 + at[0] - c'0'
            digits += 1
            at += 1
        if not digits or number > 255 or (digits > 1 and number < (10 if digits == 2 else 100)):
            return False
        groups += 1
        if at < end:
            if at[0] != c'.' or groups == 4:
                return False
            at += 1
            if at == end:
                return False
    return groups == 4


def row_of(bytes index not None):
    """Return the same as `array("H", index)`."""
    cdef Py_ssize_t size = PyBytes_GET_SIZE(index)
    cdef array row
    if size % 2:
        raise ValueError("bytes length not a multiple of item size")
    row = clone(_row, size // 2, False)
    memcpy(row.data.as_voidptr, PyBytes_AS_STRING(index), size)
    return row


cdef object _via(const unsigned char *at, const unsigned char *end):
    """Return the Via value; None if it is not written as most are."""
    cdef const unsigned char *stop
    cdef const unsigned char *host_start
    cdef const unsigned char *host_end
    cdef str transport, host
    cdef object port = None
    cdef long number
    if end - at < 8 or memcmp(at, b"SIP/2.0/", 8) != 0:
        return None
    at += 8
    stop = _run(at, end, TOKEN)
    if stop == at or stop == end or stop[0] != c' ':
        return None
    transport, at = _ascii(at, stop).upper(), stop + 1
    stop = _host_end(at, end)
    if stop == at:
        return None
    host_start, host_end = at, stop
    host, at = _ascii(at, stop).lower(), stop
    if at < end and at[0] == c':':
        stop = at + 1
        while stop < end and c'0' <= stop[0] <= c'9':
            stop += 1
        number = _number(at + 1, stop)
        if not 0 < number <= LARGEST_PORT or at[1] == c'0':
            return None
        port, at = number, stop
    params = _params(at, end, VIA_VALUE)
    if params is None or not (_is_plain_ipv4(host_start, host_end) or check_host(host)):
        return None
    return _new(Via, (transport, host, port, params, "SIP/2.0"))


cdef object _address(const unsigned char *at, const unsigned char *end):
    """Return `display <uri>;one=parameter`; None if it is not written as most are."""
    cdef const unsigned char *start
    cdef const unsigned char *stop
    cdef str display = "", uri
    cdef tuple params
    if at < end and at[0] == c'"':
        stop = _run(at + 1, end, DISPLAY)
        if stop == end or stop[0] != c'"':
            return None
        display, at = _ascii(at, stop + 1), stop + 1
        while at < end and at[0] == c' ':
            at += 1
    elif at < end and at[0] != c'<':
        stop = _run(at, end, TOKEN)
        display, at = _ascii(at, stop), stop
        while at < end and at[0] == c' ':
            at += 1
    if at == end or at[0] != c'<':
        return None
    start = at + 1
    stop = _run(start, end, SCHEME)
    if stop == start or stop == end or stop[0] != c':' or not (c'a' <= start[0] | 0x20 <= c'z'):
        return None
    at, stop = stop + 1, _run(stop + 1, end, URI)
    if stop == at or stop == end or stop[0] != c'>':
        return None
    uri = _ascii(start, stop)
    params = _params(stop + 1, end, TOKEN)
    return None if params is None else _new(NameAddr, (display, uri, params))


cdef str _tag(object address):
    for pair in <tuple>address[2]:
        if (<tuple>pair)[0] == "tag":
            return (<tuple>pair)[1] or ""
    return ""


cdef tuple _cseq(const unsigned char *at, const unsigned char *end):
    cdef const unsigned char *stop = at
    cdef long number
    while stop < end and c'0' <= stop[0] <= c'9':
        stop += 1
    number = _number(at, stop)
    if number < 0 or stop == end or stop[0] != c' ' or stop + 1 == end or _run(stop + 1, end, TOKEN) != end:
        return None
    return number, _ascii(stop + 1, end)


cdef bint _place(
    const unsigned char *data, Py_ssize_t size, const uint16_t *index, Py_ssize_t count, uint16_t number,
    const unsigned char **start, const unsigned char **end,
) noexcept:
    """Find the first such field's trimmed value; False if there is none, or it goes over more than one line."""
    cdef Py_ssize_t at = find_field(index, count, number)
    cdef Py_ssize_t first, last
    if not at:
        return False
    first, last = index[at + 2], index[at + 3]
    if not first <= last <= size:
        return False
    trim(data, &first, &last)
    start[0], end[0] = data + first, data + last
    return memchr(start[0], c'\n', last - first) == NULL


cdef bytes _numbers(const uint16_t *index, Py_ssize_t count):
    """The fields' numbers, an octet each; None if one is larger."""
    cdef Py_ssize_t length = (count - FIRST_HEADER) // HEADER_WIDTH, position
    cdef bytes numbers = PyBytes_FromStringAndSize(NULL, length)
    cdef uint8_t *octets = <uint8_t *>PyBytes_AS_STRING(numbers)
    cdef uint16_t number
    for position in range(length):
        number = index[FIRST_HEADER + position * HEADER_WIDTH]
        if number > 255:
            return None
        octets[position] = number
    return numbers


def know(dict facts not None, bytes raw not None, array row not None):
    """Set in `facts`, by the name of the property, what of `raw` and its offset index could be worked out."""
    cdef const unsigned char *data = <const unsigned char *>PyBytes_AS_STRING(raw)
    cdef const uint16_t *index = row.data.as_ushorts
    cdef Py_ssize_t size = PyBytes_GET_SIZE(raw), count = len(row), first, last
    cdef const unsigned char *start = NULL
    cdef const unsigned char *end = NULL
    if row.ob_descr.typecode != c'H' or count < FIRST_HEADER or (count - FIRST_HEADER) % HEADER_WIDTH:
        return
    if not (index[METHOD_END] <= size and index[URI_START] <= index[URI_END] <= size):
        return
    if (numbers := _numbers(index, count)) is None:
        return
    facts["numbers"] = numbers
    facts["uri"] = _text(data + index[URI_START], data + index[URI_END])
    if not index[STATUS]:
        facts["method"] = _text(data, data + index[METHOD_END])
    if _place(data, size, index, count, CSEQ, &start, &end) and (cseq := _cseq(start, end)) is not None:
        facts["cseq"] = cseq
        if index[STATUS]:
            facts["method"] = cseq[1]
    if _place(data, size, index, count, CALL_ID, &start, &end):
        facts["call_id"] = _text(start, end)
    if _place(data, size, index, count, VIA, &start, &end):
        first = start - data
        last = first_value_end(data, first, end - data)
        trim(data, &first, &last)
        facts["top_via_span"] = first, last
        if (via := _via(data + first, data + last)) is not None:
            facts["via"] = via
    if index[STATUS]:
        return  # the addresses of responses are seldom asked for
    if _place(data, size, index, count, FROM, &start, &end) and (address := _address(start, end)) is not None:
        facts["from_address"], facts["from_tag"] = address, _tag(address)
    if _place(data, size, index, count, TO, &start, &end) and (address := _address(start, end)) is not None:
        facts["to_address"], facts["to_tag"] = address, _tag(address)
