"""Reads what fields are made of as well-behaved peers write them; the rest is left to the regular expressions."""

cdef enum:
    # what an octet may be part of
    TOKEN = 1
    HOST = 2
    VIA_VALUE = 4
    URI = 8
    SCHEME = 16
    DISPLAY = 32
    USER = 64
    URI_PARAM = 128

    MOST_DIGITS = 9
    MOST_PARAMS = 8
    MOST_HOST = 255  # octets of a domain name (RFC 1035 §2.3.4)
    LARGEST_PORT = 65535

cdef struct Param:
    const unsigned char *name
    const unsigned char *name_end
    const unsigned char *value  # NULL: a flag
    const unsigned char *end


cdef uint8_t parts[256]


def _know_octets():
    token = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-.!%*_+`'~"
    for octet in range(256):
        one = bytes([octet])
        parts[octet] = (
            (TOKEN | VIA_VALUE if one in token else 0)
            | (HOST if one.isalnum() or one in b"-._" else 0)
            | (VIA_VALUE if one in b":[]" else 0)
            | (URI if 0x20 < octet < 0x7F and one not in b'<>"' else 0)
            | (SCHEME if one.isalnum() or one in b"+.-" else 0)
            | (USER if one.isalnum() or one in b"-_.!~*'()" else 0)
            | (URI_PARAM if one.isalnum() or one in b"-_.!~*'()[]/:&+$" else 0)
            | (DISPLAY if 0x20 <= octet < 0x7F and one not in b'"\\' else 0)
        )


_know_octets()


cdef const unsigned char *run(const unsigned char *at, const unsigned char *end, uint8_t part) noexcept:
    """Where the octets that may be part of such a thing end."""
    while at < end and parts[at[0]] & part:
        at += 1
    return at


cdef str ascii(const unsigned char *start, const unsigned char *end):
    return PyUnicode_DecodeASCII(<const char *>start, end - start, NULL)


cdef str decoded(const unsigned char *start, const unsigned char *end):
    return PyUnicode_DecodeUTF8(<const char *>start, end - start, b"surrogateescape")


cdef long decimal(const unsigned char *start, const unsigned char *end) noexcept:
    """The decimal number; -1 if it is none, or a long one."""
    cdef long value = 0
    if not start < end <= start + MOST_DIGITS:
        return -1
    while start < end:
        if not c'0' <= start[0] <= c'9':
            return -1
        value = value * 10 + start[0] - c'0'
        start += 1
    return value


cdef bint is_same(const Param *one, const Param *other) noexcept:
    """Whether the names are equal, in any case."""
    cdef Py_ssize_t at, size = one.name_end - one.name
    if size != other.name_end - other.name:
        return False
    for at in range(size):
        if one.name[at] | 0x20 != other.name[at] | 0x20:
            return False
    return True


cdef int read_params(const unsigned char *at, const unsigned char *end, uint8_t part, Param *found) noexcept:
    """Find `;name=value;flag`; return how many there are, -1 if it is anything else."""
    cdef int count = 0, earlier
    cdef Param *here
    while at < end:
        if count == MOST_PARAMS or at[0] != c';':
            return -1
        here = &found[count]
        here.name, here.value = at + 1, NULL
        here.name_end = here.end = at = run(at + 1, end, TOKEN)
        if here.name == here.name_end:
            return -1
        if at < end and at[0] == c'=':
            here.value = at + 1
            here.end = at = run(at + 1, end, part)
            if here.value == here.end:
                return -1
        for earlier in range(count):
            if is_same(&found[earlier], here):
                return -1
        count += 1
    return count


cdef bint is_named(const Param *param, const char *name, Py_ssize_t size) noexcept:
    """Whether it has this name, which is given in lower case."""
    cdef Py_ssize_t at
    if param.name_end - param.name != size:
        return False
    for at in range(size):
        if param.name[at] | 0x20 != name[at]:
            return False
    return True


cdef str value_of(const Param *param):
    return None if param.value == NULL else ascii(param.value, param.end)


cdef str lower(const unsigned char *start, const unsigned char *end):
    """As text in lower case; it is no longer than a host may be."""
    cdef char text[MOST_HOST]
    cdef Py_ssize_t at, size = end - start
    for at in range(size):
        text[at] = start[at] | 0x20 if c'A' <= start[at] <= c'Z' else start[at]
    return PyUnicode_DecodeASCII(text, size, NULL)


cdef str name_of(const Param *param):
    if is_named(param, b"branch", 6):
        return "branch"
    if is_named(param, b"rport", 5):
        return "rport"
    return ascii(param.name, param.name_end).lower()


cdef const unsigned char *host_end(const unsigned char *at, const unsigned char *end) noexcept:
    """Where a host name or an IPv4 address ends; `at` if none is there."""
    cdef const unsigned char *stop = run(at, end, HOST)
    cdef unsigned char last = c'.'
    cdef const unsigned char *here = at
    while here < stop:
        if (here[0] == c'.' and last in (c'.', c'-')) or (here[0] == c'-' and last == c'.'):
            return at
        last = here[0]
        here += 1
    return at if last == c'-' else stop


cdef bint is_plain_ipv4(const unsigned char *at, const unsigned char *end) noexcept:
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


cdef tuple pairs(const Param *params, int count):
    """Name in lower case, and value or None, of each."""
    cdef list pairs = []
    cdef int position
    for position in range(count):
        pairs.append((name_of(&params[position]), value_of(&params[position])))
    return tuple(pairs)
