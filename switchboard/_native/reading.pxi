# A plain message, read in place by its offset index: one that is written as well-behaved user agents write.
#
# Theory. The grammar of SIP (RFC 3261 §25) allows many spellings, and few of them occur. This file reads only those
# few, in one pass over each field and without a copy: a value is a slice of the datagram. A table tells for each octet
# in which tokens it may occur. Any other spelling makes the message odd, and the reference in Python reads it. So a
# reader here may refuse anything, but what it accepts, it reads exactly as `sip/message.py`, `via.py` and `address.py`.

cdef enum Method:
    OTHER_METHOD
    INVITE
    ACK
    BYE
    CANCEL
    MESSAGE
    OPTIONS
    INFO
    UPDATE
    REFER
    NOTIFY
    PRACK

cdef enum:
    # numbers of header fields (sip/headers.py)
    H_OTHER = 0
    H_VIA = 1
    H_FROM = 2
    H_TO = 3
    H_CALL_ID = 4
    H_CSEQ = 5
    H_CONTACT = 6
    H_MAX_FORWARDS = 7
    H_ROUTE = 8
    H_RECORD_ROUTE = 9
    H_CONTENT_LENGTH = 10
    H_PROXY_REQUIRE = 12
    H_ACCEPT_LANGUAGE = 16
    H_TIMESTAMP = 20
    H_PROXY_AUTHORIZATION = 22
    H_AUTHORIZATION = 23
    H_CONTENT_TYPE = 24
    H_P_ASSERTED_IDENTITY = 25
    H_CALL_INFO = 29
    H_MAX_BREADTH = 30
    H_SESSION_EXPIRES = 31
    NUMBERS = 32
    # of the offset index (sip/scan.py)
    I_STATUS = 0
    I_METHOD_END = 1
    I_URI_START = 2
    I_URI_END = 3
    I_HEADERS_START = 4
    I_HEADERS_END = 5
    I_BODY_START = 6
    I_BODY_END = 7
    I_FIRST = 8
    I_WIDTH = 4

    IN_TOKEN = 1
    IN_VIA_VALUE = 2
    IN_URI = 4
    IN_SCHEME = 8
    IN_DISPLAY = 16
    IN_HOST = 32
    IN_LOWER = 64
    IN_ADDRESS = 128

    MOST_FIELDS = 200
    MOST_VIAS = 10
    MOST_ROUTES = 4
    LONGEST_NAME = 1000

cdef struct Field:
    int number
    uint16_t line
    uint16_t start
    uint16_t end

cdef struct Message:
    const uint8_t *raw
    Py_ssize_t size  # of the datagram
    Slice index
    int status
    int method
    Slice method_text
    uint16_t uri_start, uri_end, headers_start, headers_end, body_end
    Field fields[MOST_FIELDS]
    int count
    int seen[NUMBERS]  # number of fields with this number
    int first[NUMBERS]  # index of the first one
    # the top Via; next_via: in a response, the next value of the same field, NULL without one
    Slice via
    const uint8_t *next_via
    Slice via_host
    Slice branch
    int port
    Py_ssize_t rport  # the end of the flag within the value, 0 without the flag
    Slice from_uri, from_tag, to_uri, to_tag, call_id
    uint32_t sequence

cdef uint8_t _parts[256]
cdef uint8_t _lowered[256]


def _know_octets():
    for octet in range(256):
        one = bytes([octet])
        token = one.isalnum() or one in b"-.!%*_+`'~"
        _lowered[octet] = octet + 32 if 65 <= octet <= 90 else octet
        _parts[octet] = (
            (IN_TOKEN | IN_VIA_VALUE if token else 0)
            | (IN_VIA_VALUE if one in b":[]" else 0)
            | (IN_URI if 0x20 < octet < 0x7F and one not in b'<>"' else 0)
            | (IN_SCHEME if one.isalnum() or one in b"+.-" else 0)
            | (IN_DISPLAY if octet > 0x7F or (0x20 <= octet < 0x7F and one not in b'"\\') else 0)
            | (IN_HOST if (one.isalnum() and one == one.lower()) or one in b"-." else 0)
            | (IN_LOWER if token and one == one.lower() else 0)
            | (IN_ADDRESS if one in b"0123456789abcdef:." else 0)
        )


_know_octets()


cdef inline const uint8_t *run(const uint8_t *at, const uint8_t *end, uint8_t part) noexcept nogil:
    """The end of the octets from `at` on that are of the class `part`."""
    while at < end and _parts[at[0]] & part:
        at += 1
    return at


cdef inline uint16_t offset_in(const Message *message, Py_ssize_t place) noexcept nogil:
    cdef uint16_t number
    memcpy(&number, message.index.at + 2 * place, 2)
    return number


cdef inline Slice value_of(const Message *message, int number) noexcept nogil:
    """The trimmed value of the first such field; nothing without one."""
    cdef const Field *field
    if message.seen[number] == 0:
        return nothing()
    field = &message.fields[message.first[number]]
    return slice_of(message.raw + field.start, message.raw + field.end)


cdef inline int method_of(Slice text) noexcept nogil:
    if is_text(text, b"INVITE", 6):
        return INVITE
    if is_text(text, b"ACK", 3):
        return ACK
    if is_text(text, b"BYE", 3):
        return BYE
    if is_text(text, b"CANCEL", 6):
        return CANCEL
    if is_text(text, b"MESSAGE", 7):
        return MESSAGE
    if is_text(text, b"OPTIONS", 7):
        return OPTIONS
    if is_text(text, b"INFO", 4):
        return INFO
    if is_text(text, b"UPDATE", 6):
        return UPDATE
    if is_text(text, b"REFER", 5):
        return REFER
    if is_text(text, b"NOTIFY", 6):
        return NOTIFY
    return PRACK if is_text(text, b"PRACK", 5) else OTHER_METHOD


cdef bint read_message(Message *message, Slice raw, Slice index) noexcept nogil:
    """Read what routing needs; False if the message is odd."""
    if raw.size < 16 or raw.size > 65000 or index.size < 2 * I_FIRST or index.size % (2 * I_WIDTH):
        return False
    message.raw, message.size, message.index = raw.at, raw.size, index
    message.status = offset_in(message, I_STATUS)
    message.uri_start, message.uri_end = offset_in(message, I_URI_START), offset_in(message, I_URI_END)
    message.headers_start = offset_in(message, I_HEADERS_START)
    message.headers_end = offset_in(message, I_HEADERS_END)
    message.body_end = offset_in(message, I_BODY_END)
    if not message.uri_start <= message.uri_end <= message.headers_start <= message.headers_end <= message.body_end:
        return False
    if message.body_end > raw.size:
        return False
    if not message.status:
        message.method_text = slice_of(raw.at, raw.at + offset_in(message, I_METHOD_END))
        if message.method_text.size > message.uri_start:
            return False
    return _read_fields(message) and _read_sequence(message) and _read_via(message) and _read_parties(message)


cdef bint _read_fields(Message *message) noexcept nogil:
    cdef int at, number
    cdef Field *field
    cdef Py_ssize_t place
    message.count = <int>((message.index.size // 2 - I_FIRST) // I_WIDTH)
    if message.count > MOST_FIELDS:
        return False
    memset(message.seen, 0, sizeof(message.seen))
    for at in range(message.count):
        place = I_FIRST + at * I_WIDTH
        field = &message.fields[at]
        number = field.number = offset_in(message, place)
        field.line, field.start, field.end = (
            offset_in(message, place + 1), offset_in(message, place + 2), offset_in(message, place + 3)
        )
        if number >= NUMBERS or not field.line <= field.start <= field.end <= message.headers_end:
            return False
        if number == H_OTHER:
            continue
        _trim(message.raw, field)
        if field.end > field.start and (message.raw[field.start] < 0x20 or message.raw[field.end - 1] < 0x20):
            return False  # white space other than blanks and tabs
        if memchr(message.raw + field.start, c'\n', field.end - field.start) != NULL:
            return False
        if number == H_VIA and not message.status:  # of a request, the reference reads all values
            if memchr(message.raw + field.start, c',', field.end - field.start) != NULL:
                return False
        if message.seen[number] == 0:
            message.first[number] = at
        message.seen[number] += 1
    return (
        0 < message.seen[H_VIA] <= MOST_VIAS and message.seen[H_ROUTE] <= MOST_ROUTES
        and message.seen[H_CONTACT] <= 1 and message.seen[H_FROM] == 1 and message.seen[H_TO] == 1
        and message.seen[H_CALL_ID] == 1 and message.seen[H_CSEQ] == 1
    )


cdef inline void _trim(const uint8_t *raw, Field *field) noexcept nogil:
    while field.start < field.end and (raw[field.start] == c' ' or raw[field.start] == c'\t'):
        field.start += 1
    while field.start < field.end and (raw[field.end - 1] == c' ' or raw[field.end - 1] == c'\t'):
        field.end -= 1


cdef inline const uint8_t *line_end(const Message *message, int place) noexcept nogil:
    """The end of the field's line, CRLF included."""
    cdef const uint8_t *at = message.raw + message.fields[place].end
    while at[0] != c'\n':  # skips white space up to the CRLF that the scanner found
        at += 1
    return at + 1


cdef bint _read_sequence(Message *message) noexcept nogil:
    cdef Slice value = value_of(message, H_CSEQ)
    cdef const uint8_t *at = value.at
    cdef const uint8_t *end = value.at + value.size
    cdef uint32_t number = 0
    while at < end and c'0' <= at[0] <= c'9':
        number = number * 10 + (at[0] - c'0')
        at += 1
    if at == value.at or at - value.at > 9 or (value.at[0] == c'0' and at - value.at > 1):
        return False
    if end - at < 2 or at[0] != c' ':
        return False
    at += 1
    if message.status:
        message.method_text = slice_of(at, end)
    elif not same(message.method_text, slice_of(at, end)):
        return False
    message.sequence = number
    message.method = method_of(message.method_text)
    message.call_id = value_of(message, H_CALL_ID)
    return message.method != OTHER_METHOD and message.call_id.size > 0


cdef bint _read_via(Message *message) noexcept nogil:
    """Read the top Via: a host in lower case, and no parameter except rport that redirects the answer."""
    cdef Slice value = value_of(message, H_VIA)
    cdef const uint8_t *at = value.at
    cdef const uint8_t *end = value.at + value.size
    cdef const uint8_t *stop
    cdef int protocol
    message.next_via = NULL
    stop = <const uint8_t *>memchr(at, c',', value.size) if message.status else NULL
    if stop != NULL:
        message.next_via = _after_comma(stop, end)
        if message.next_via == NULL:
            return False
        end = stop
        while end > at and ((end - 1)[0] == c' ' or (end - 1)[0] == c'\t'):
            end -= 1
        value = slice_of(at, end)
    protocol = _protocol_size(value)
    if protocol == 0:
        return False
    at += protocol
    message.via = value
    if at[0] == c'[':
        stop = <const uint8_t *>memchr(at, c']', end - at)
        if stop == NULL:
            return False
        if run(at + 1, stop, IN_ADDRESS) != stop:
            return False
        stop += 1
    else:
        stop = run(at, end, IN_HOST)
    message.via_host = slice_of(at, stop)
    if not 0 < message.via_host.size <= 255:
        return False
    message.port = 5060
    if stop < end and stop[0] == c':':
        at = stop + 1
        stop = at
        message.port = 0
        while stop < end and c'0' <= stop[0] <= c'9' and stop - at < 6:
            message.port = message.port * 10 + (stop[0] - c'0')
            stop += 1
        if at == stop or at[0] == c'0' or not 0 < message.port <= 65535:
            return False
    return _read_via_params(message, stop, end)


cdef int _protocol_size(Slice via) noexcept nogil:
    """The number of octets ahead of sent-by, for any of our transports; 0 for another protocol."""
    if via.size < 13 or memcmp(via.at, b"SIP/2.0/", 8) != 0:
        return 0
    if memcmp(via.at + 8, b"UDP ", 4) == 0 or memcmp(via.at + 8, b"TCP ", 4) == 0:
        return 12
    if memcmp(via.at + 8, b"TLS ", 4) == 0 or memcmp(via.at + 8, b"WSS ", 4) == 0:
        return 12
    return 11 if memcmp(via.at + 8, b"WS ", 3) == 0 else 0


cdef const uint8_t *_after_comma(const uint8_t *at, const uint8_t *end) noexcept nogil:
    """The beginning of the value behind a comma; NULL without one."""
    at += 1
    while at < end and (at[0] == c' ' or at[0] == c'\t'):
        at += 1
    return at if at < end else NULL


cdef bint _read_via_params(Message *message, const uint8_t *at, const uint8_t *end) noexcept nogil:
    cdef Slice name, value
    cdef const uint8_t *stop
    message.branch, message.rport = nothing(), 0
    while at < end:
        if at[0] != c';':
            return False
        stop = run(at + 1, end, IN_LOWER)
        name, value, at = slice_of(at + 1, stop), nothing(), stop
        if name.size == 0:
            return False
        if at < end and at[0] == c'=':
            stop = run(at + 1, end, IN_VIA_VALUE)
            value, at = slice_of(at + 1, stop), stop
            if value.size == 0:
                return False
        if is_text(name, b"branch", 6):
            if message.branch.size:
                return False
            message.branch = value
        elif is_text(name, b"rport", 5) and not message.status:
            if value.size or message.rport:
                return False
            message.rport = at - message.via.at
        elif (is_text(name, b"received", 8) or is_text(name, b"maddr", 5)) and not message.status:
            return False
    value = message.branch
    return 7 < value.size <= LONGEST_NAME and memcmp(value.at, b"z9hG4bK", 7) == 0


cdef bint _read_parties(Message *message) noexcept nogil:
    if not _read_address(value_of(message, H_FROM), &message.from_uri, &message.from_tag):
        return False
    if not _read_address(value_of(message, H_TO), &message.to_uri, &message.to_tag):
        return False
    return message.from_tag.size > 0 and message.from_tag.size + message.call_id.size <= LONGEST_NAME


cdef bint _read_address(Slice text, Slice *uri, Slice *tag) noexcept nogil:
    """Read `display <uri>;name=value`, or a bare `uri;name=value`: the URI, and the tag if there is one."""
    cdef const uint8_t *at = text.at
    cdef const uint8_t *end = text.at + text.size
    cdef const uint8_t *stop = run(at, end, IN_SCHEME)
    if stop > at and stop < end and stop[0] == c':':
        stop = _bare_end(stop + 1, end)
        uri[0] = slice_of(at, stop)
        return c'a' <= at[0] | 0x20 <= c'z' and (stop - 1)[0] != c':' and _read_tag(stop, end, tag)
    if at < end and at[0] == c'"':
        at = run(at + 1, end, IN_DISPLAY)
        if at == end or at[0] != c'"':
            return False
        at += 1
    elif at < end and at[0] != c'<':
        at = run(at, end, IN_TOKEN)
    while at < end and at[0] == c' ':
        at += 1
    if at == end or at[0] != c'<':
        return False
    stop = run(at + 1, end, IN_SCHEME)
    if stop == at + 1 or stop == end or stop[0] != c':' or not c'a' <= at[1] | 0x20 <= c'z':
        return False
    stop = run(stop + 1, end, IN_URI)
    if stop == end or stop[0] != c'>' or (stop - 1)[0] == c':':
        return False
    uri[0] = slice_of(at + 1, stop)
    return _read_tag(stop + 1, end, tag)


cdef const uint8_t *_bare_end(const uint8_t *at, const uint8_t *end) noexcept nogil:
    """The end of a URI without brackets: a semicolon begins the parameters of the field (§20.10)."""
    while at < end and at[0] != c';' and _parts[at[0]] & IN_URI:
        at += 1
    return at


cdef bint _read_tag(const uint8_t *at, const uint8_t *end, Slice *tag) noexcept nogil:
    cdef const uint8_t *stop
    cdef Slice name, value
    tag[0] = nothing()
    while at < end:
        if at[0] != c';':
            return False
        stop = run(at + 1, end, IN_LOWER)
        name, value, at = slice_of(at + 1, stop), nothing(), stop
        if at < end and at[0] == c'=':
            stop = run(at + 1, end, IN_TOKEN)
            value, at = slice_of(at + 1, stop), stop
        if name.size == 0:
            return False
        if is_text(name, b"tag", 3):
            if tag.size or not 0 < value.size <= LONGEST_NAME:
                return False
            tag[0] = value
    return True


cdef bint has_field(const Message *message, const char *name, Py_ssize_t size) noexcept nogil:
    """Whether a field without a number has this `name` (lower case)."""
    cdef int at
    cdef Py_ssize_t place
    cdef const uint8_t *line
    for at in range(message.count):
        if message.fields[at].number != H_OTHER or message.fields[at].start - message.fields[at].line <= size:
            continue
        line = message.raw + message.fields[at].line
        place = 0
        while place < size and _lowered[line[place]] == <uint8_t>name[place]:
            place += 1
        if place == size and (line[size] == c':' or line[size] == c' ' or line[size] == c'\t'):
            return True
    return False
