# cython: boundscheck=False, wraparound=False
"""Works out in one pass what `Message` works out field by field, for messages as well-behaved peers write them."""

from cpython.array cimport array, clone
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.unicode cimport PyUnicode_DecodeASCII, PyUnicode_DecodeUTF8
from libc.stdint cimport uint8_t, uint16_t
from libc.string cimport memchr, memcmp, memcpy

from switchboard.sip._fields cimport FIRST_HEADER, HEADER_WIDTH, find_field, first_value_end, trim

from switchboard.sip.message cimport Message
from switchboard.sip.via cimport Via

from switchboard.sip.grammar import check_host
from switchboard.sip.headers import Header

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
    MOST_HOST = 255  # octets of a domain name (RFC 1035 §2.3.4)

cdef uint16_t VIA = Header.VIA, FROM = Header.FROM, TO = Header.TO
cdef uint16_t CALL_ID = Header.CALL_ID, CSEQ = Header.CSEQ
cdef uint8_t _parts[256]
cdef list _methods = [
    (method.encode(), method)
    for method in ("INVITE", "ACK", "BYE", "CANCEL", "REGISTER", "OPTIONS", "MESSAGE", "INFO", "PRACK", "UPDATE")
]
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


cdef struct Param:
    const unsigned char *name
    const unsigned char *name_end
    const unsigned char *value  # NULL: a flag
    const unsigned char *end


cdef inline bint _is_same(const Param *one, const Param *other) noexcept:
    """Whether the names are equal, in any case."""
    cdef Py_ssize_t at, size = one.name_end - one.name
    if size != other.name_end - other.name:
        return False
    for at in range(size):
        if one.name[at] | 0x20 != other.name[at] | 0x20:
            return False
    return True


cdef int _read_params(const unsigned char *at, const unsigned char *end, uint8_t part, Param *found) noexcept:
    """Find `;name=value;flag`; return how many there are, -1 if it is anything else."""
    cdef int count = 0, earlier
    cdef Param *here
    while at < end:
        if count == MOST_PARAMS or at[0] != c';':
            return -1
        here = &found[count]
        here.name, here.value = at + 1, NULL
        here.name_end = here.end = at = _run(at + 1, end, TOKEN)
        if here.name == here.name_end:
            return -1
        if at < end and at[0] == c'=':
            here.value = at + 1
            here.end = at = _run(at + 1, end, part)
            if here.value == here.end:
                return -1
        for earlier in range(count):
            if _is_same(&found[earlier], here):
                return -1
        count += 1
    return count


cdef inline bint _is_named(const Param *param, const char *name, Py_ssize_t size) noexcept:
    """Whether it has this name, which is given in lower case."""
    cdef Py_ssize_t at
    if param.name_end - param.name != size:
        return False
    for at in range(size):
        if param.name[at] | 0x20 != name[at]:
            return False
    return True


cdef inline str _value_of(const Param *param):
    return None if param.value == NULL else _ascii(param.value, param.end)


cdef str _lower(const unsigned char *start, const unsigned char *end):
    """As text in lower case; it is no longer than a host may be."""
    cdef char text[MOST_HOST]
    cdef Py_ssize_t at, size = end - start
    for at in range(size):
        text[at] = start[at] | 0x20 if c'A' <= start[at] <= c'Z' else start[at]
    return PyUnicode_DecodeASCII(text, size, NULL)


cdef str _name_of(const Param *param):
    if _is_named(param, b"branch", 6):
        return "branch"
    if _is_named(param, b"rport", 5):
        return "rport"
    return _ascii(param.name, param.name_end).lower()


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


cdef Via _read_via(const unsigned char *at, const unsigned char *end):
    """Return the Via value; None if it is not written as most are."""
    cdef const unsigned char *stop
    cdef const unsigned char *host_start
    cdef Param params[MOST_PARAMS]
    cdef Via via
    cdef long number
    cdef int count, position
    cdef str value
    if end - at < 8 or memcmp(at, b"SIP/2.0/", 8) != 0:
        return None
    at += 8
    stop = _run(at, end, TOKEN)
    if stop == at or stop == end or stop[0] != c' ':
        return None
    via = Via.__new__(Via)
    via.protocol, via.port, via.branch = "SIP/2.0", None, ""
    via.transport = "UDP" if stop - at == 3 and memcmp(at, b"UDP", 3) == 0 else _ascii(at, stop).upper()
    at = host_start = stop + 1
    stop = _host_end(at, end)
    if stop == at or stop - at > MOST_HOST:
        return None
    via.host, at = _lower(at, stop), stop
    if not (_is_plain_ipv4(host_start, stop) or check_host(via.host)):
        return None
    if at < end and at[0] == c':':
        stop = at + 1
        while stop < end and c'0' <= stop[0] <= c'9':
            stop += 1
        number = _number(at + 1, stop)
        if not 0 < number <= LARGEST_PORT or at[1] == c'0':
            return None
        via.port, at = number, stop
    count = _read_params(at, end, VIA_VALUE, params)
    if count < 0:
        return None
    via.params = _pairs(params, count)
    for position in range(count):
        if _is_named(&params[position], b"branch", 6):
            value = (<tuple>(<tuple>via.params)[position])[1]
            via.branch = value if value is not None else ""
    return via


cdef tuple _pairs(const Param *params, int count):
    """Name in lower case, and value or None, of each."""
    cdef list pairs = []
    cdef int position
    for position in range(count):
        pairs.append((_name_of(&params[position]), _value_of(&params[position])))
    return tuple(pairs)


cdef const unsigned char *_display_end(const unsigned char *at, const unsigned char *end) noexcept:
    """Where the angle bracket behind a display name stands, or where it should."""
    cdef const unsigned char *stop
    if at < end and at[0] == c'"':
        stop = _run(at + 1, end, DISPLAY)
        if stop == end or stop[0] != c'"':
            return end
        at = stop + 1
    elif at < end and at[0] != c'<':
        at = _run(at, end, TOKEN)
    while at < end and at[0] == c' ':
        at += 1
    return at


cdef tuple _uri_and_tag(const unsigned char *at, const unsigned char *end):
    """Return URI and tag of `display <uri>;one=parameter`; None if it is not written as most are."""
    cdef const unsigned char *start
    cdef const unsigned char *stop
    cdef Param params[MOST_PARAMS]
    cdef int count, position
    cdef str tag = ""
    at = _display_end(at, end)
    if at == end or at[0] != c'<':
        return None
    start = at + 1
    stop = _run(start, end, SCHEME)
    if stop == start or stop == end or stop[0] != c':' or not (c'a' <= start[0] | 0x20 <= c'z'):
        return None
    at, stop = stop + 1, _run(stop + 1, end, URI)
    if stop == at or stop == end or stop[0] != c'>':
        return None
    count = _read_params(stop + 1, end, TOKEN, params)
    if count < 0:
        return None
    for position in range(count):
        if params[position].value != NULL and _is_named(&params[position], b"tag", 3):
            tag = _value_of(&params[position])
    return _ascii(start, stop), tag


cdef tuple _cseq(const unsigned char *at, const unsigned char *end):
    cdef const unsigned char *stop = at
    cdef long number
    while stop < end and c'0' <= stop[0] <= c'9':
        stop += 1
    number = _number(at, stop)
    if number < 0 or stop == end or stop[0] != c' ' or stop + 1 == end or _run(stop + 1, end, TOKEN) != end:
        return None
    return number, _method(stop + 1, end)


cdef str _method(const unsigned char *start, const unsigned char *end):
    """Those that are known are always the same object."""
    cdef bytes octets
    for octets, name in _methods:
        if PyBytes_GET_SIZE(octets) == end - start and memcmp(PyBytes_AS_STRING(octets), start, end - start) == 0:
            return name
    return _text(start, end)


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


cpdef bint know(Message message) except -1:
    """Set what `Message._work_out` would find out, and the top Via; False if that has to do it."""
    cdef bytes raw = message.raw
    cdef array row = message.index
    cdef const unsigned char *data = <const unsigned char *>PyBytes_AS_STRING(raw)
    cdef const uint16_t *index = row.data.as_ushorts
    cdef Py_ssize_t size = PyBytes_GET_SIZE(raw), count = len(row), first, last
    cdef const unsigned char *start = NULL
    cdef const unsigned char *end = NULL
    cdef tuple found
    cdef bytes numbers
    if row.ob_descr.typecode != c'H' or count < FIRST_HEADER or (count - FIRST_HEADER) % HEADER_WIDTH:
        return False
    if not (index[METHOD_END] <= size and index[URI_START] <= index[URI_END] <= size):
        return False
    if _place(data, size, index, count, VIA, &start, &end):
        first = start - data
        last = first_value_end(data, first, end - data)
        trim(data, &first, &last)
        message._first_via = first, last
        message._via = _read_via(data + first, data + last)
    if (numbers := _numbers(index, count)) is None:
        return False
    message.numbers = numbers
    if not _place(data, size, index, count, CSEQ, &start, &end) or (found := _cseq(start, end)) is None:
        return False
    message.cseq = found
    message.method = found[1] if index[STATUS] else _method(data, data + index[METHOD_END])
    message.uri = _text(data + index[URI_START], data + index[URI_END])
    if not _place(data, size, index, count, CALL_ID, &start, &end):
        return False
    message.call_id = _text(start, end)
    if not _place(data, size, index, count, FROM, &start, &end) or (found := _uri_and_tag(start, end)) is None:
        return False
    message.from_uri, message.from_tag = found
    if not _place(data, size, index, count, TO, &start, &end) or (found := _uri_and_tag(start, end)) is None:
        return False
    message.to_uri, message.to_tag = found
    return True
