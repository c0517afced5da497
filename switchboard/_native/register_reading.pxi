# A REGISTER and its source, read in place, if they are plain.
#
# A reader returns False for anything that the reference might treat in another way. What it accepts, it reads exactly
# as the reference does.

cdef extern from "arpa/inet.h":
    const char *inet_ntop(int family, const void *address, char *text, unsigned int size) nogil

cdef enum:
    IPV4 = 2  # AF_INET, AF_INET6 of Linux
    IPV6 = 10
    UDP = 1
    WSS = 5
    CONNECTION_SIZE = 9
    H_EXPIRES = 11
    H_REQUIRE = 13
    H_SUPPORTED = 14
    H_PATH = 15
    H_USER_AGENT = 17
    LARGEST_REGISTER = 8000
    LONGEST_USER_AGENT = 200

cdef struct Source:
    # The source of a message. `port_at`: the place of the port in the flow. `connection`: nothing for UDP.
    Slice flow
    Slice connection
    Py_ssize_t port_at
    int port
    Slice host
    Slice hop  # host and port, an IPv6 address in brackets
    char text[64]

cdef struct Register:
    # A plain REGISTER. `expires`: the value of the header field, -1 without one.
    Message message
    Source source
    Slice to_uri
    Slice user
    Slice user_agent
    Wanted wanted
    bint has_contact
    bint is_outbound  # the contact is bound to a flow, and the phone supports that (RFC 5626)
    int64_t expires


cdef bint read_source(Slice flow, Source *source) noexcept nogil:
    """Read the flow of a message (sip/flow.py); False for none, or an address with several spellings."""
    cdef const uint8_t *at = flow.at + 1
    cdef const uint8_t *end = flow.at + flow.size
    cdef int family, connection_size
    if flow.size < 2 or not UDP <= flow.at[0] <= WSS:
        return False
    if end - at < 2 + at[0] or (at[0] != 0 and at[0] != 4 and at[0] != 16):
        return False
    connection_size = 0 if flow.at[0] == UDP else CONNECTION_SIZE
    at += 1 + at[0]
    family = IPV4 if at[0] == 4 else IPV6
    if (at[0] != 4 and at[0] != 16) or end - at != 3 + at[0] + connection_size:
        return False
    source.connection = slice_of(end - connection_size, end)
    source.text[0] = c'['
    if inet_ntop(family, at + 1, source.text + 1, 50) == NULL:
        return False
    source.host = slice_of(<const uint8_t *>source.text + 1, <const uint8_t *>source.text + 1 + strlen(source.text + 1))
    if family == IPV6 and memchr(source.host.at, c'.', source.host.size) != NULL:
        return False  # an IPv4 address within
    at += 1 + at[0]
    source.flow, source.port_at, source.port = flow, at - flow.at, at[0] << 8 | at[1]
    _end_hop(source, family == IPV6)
    return True


cdef void _end_hop(Source *source, bint is_bracketed) noexcept nogil:
    cdef char *at = source.text + 1 + source.host.size
    if is_bracketed:
        at[0] = c']'
        at += 1
    at += snprintf(at, 8, ":%d", source.port)
    source.hop = slice_of(source.host.at - is_bracketed, <const uint8_t *>at)


cdef bint read_register(Register *register, Slice raw, Slice index) noexcept nogil:
    """Read a plain REGISTER; False if it is odd."""
    cdef Message *message = &register.message
    if not 16 < raw.size <= LARGEST_REGISTER or index.size < 2 * I_FIRST or index.size % (2 * I_WIDTH):
        return False
    message.raw, message.size, message.index = raw.at, raw.size, index
    message.status = offset_in(message, I_STATUS)
    message.headers_start, message.headers_end = offset_in(message, I_HEADERS_START), offset_in(message, I_HEADERS_END)
    if message.status or not 9 <= message.headers_start <= message.headers_end <= raw.size:
        return False
    message.method_text = slice_of(raw.at, raw.at + offset_in(message, I_METHOD_END))
    return (
        is_text(message.method_text, b"REGISTER", 8)
        and _read_fields(message) and _are_printable(message) and _read_order(message) and _read_via(message)
        and _read_address(value_of(message, H_FROM), &message.from_uri, &message.from_tag)
        and _read_address(value_of(message, H_TO), &register.to_uri, &message.to_tag)
        and _read_wishes(register)
    )


cdef bint _are_printable(const Message *message) noexcept nogil:
    """Whether the known fields are free of control characters, some of which the reference strips."""
    cdef const Field *field
    cdef int place, at
    for place in range(message.count):
        field = &message.fields[place]
        if field.number == H_OTHER:
            continue
        for at in range(field.start, field.end):
            if message.raw[at] < 0x20 or message.raw[at] == 0x7F:
                return False
    return True


cdef bint _read_order(Message *message) noexcept nogil:
    """Read Call-ID and CSeq; False if they are odd."""
    cdef Slice value = value_of(message, H_CSEQ)
    cdef const uint8_t *end = value.at + value.size
    cdef int64_t number
    cdef const uint8_t *at = _past_digits(value.at, end, 9, &number)
    message.call_id = value_of(message, H_CALL_ID)
    if at == NULL or (value.at[0] == c'0' and at - value.at > 1) or not 0 < message.call_id.size <= LONGEST_NAME:
        return False
    message.sequence = <uint32_t>number
    return end - at == 9 and memcmp(at, b" REGISTER", 9) == 0


cdef bint _read_wishes(Register *register) noexcept nogil:
    """Read Contact and Expires; False if a field makes the request odd."""
    cdef Message *message = &register.message
    cdef Slice expires = value_of(message, H_EXPIRES)
    cdef Py_ssize_t at
    if (
        message.seen[H_ROUTE] or message.seen[H_REQUIRE] or message.seen[H_PATH] or message.seen[H_EXPIRES] > 1
        or message.seen[H_USER_AGENT] > 1 or message.seen[H_ACCEPT_LANGUAGE] > 1
    ):
        return False
    register.user_agent = value_of(message, H_USER_AGENT)
    if register.user_agent.size > LONGEST_USER_AGENT:
        return False
    for at in range(register.user_agent.size):
        if register.user_agent.at[at] & 0x80:
            return False
    register.expires = -1
    if message.seen[H_EXPIRES] and _past_digits(
        expires.at, expires.at + expires.size, 9, &register.expires
    ) != expires.at + expires.size:
        return False
    register.has_contact = message.seen[H_CONTACT] == 1
    if register.has_contact and not read_contact(value_of(message, H_CONTACT), &register.wanted):
        return False
    return not _wants_more(register)


cdef bint _wants_more(Register *register) noexcept nogil:
    """Whether it asks for a GRUU or contains one (RFC 5627), or comes over a flow from a proxy (RFC 5626)."""
    cdef const Message *message = &register.message
    cdef Slice supported = value_of(message, H_SUPPORTED)
    cdef bint is_direct = message.seen[H_VIA] == 1
    register.is_outbound = False
    if message.seen[H_SUPPORTED] > 1 or _holds(supported, b"gruu", 4):
        return True
    if not is_direct and (register.source.connection.size or (register.has_contact and register.wanted.reg_id.size)):
        return True
    if not register.has_contact:
        return False
    if register.wanted.reg_id.size and _holds(supported, b"outbound", 8):
        register.is_outbound = register.wanted.instance.size > 0 and _holds_tag(supported, b"outbound", 8)
        if not register.is_outbound:
            return True
    return _holds(register.wanted.uri, b";gr", 3)


cdef bint _holds_tag(Slice tags, const char *tag, Py_ssize_t size) noexcept nogil:
    """Whether a plain list of tags contains this one, in lower case."""
    cdef const uint8_t *at = tags.at
    cdef const uint8_t *end = tags.at + tags.size
    cdef const uint8_t *stop
    while at < end:
        stop = run(at, end, IN_TOKEN)
        if stop < end and stop[0] != c',':
            return False
        if is_text(slice_of(at, stop), tag, size):
            return True
        at = stop + 1
        while at < end and at[0] == c' ':
            at += 1
    return False


cdef bint _holds(Slice text, const char *part, Py_ssize_t size) noexcept nogil:
    """Whether the text contains `part` (lower case), whatever the case of its letters."""
    cdef Py_ssize_t at, same_so_far = 0
    for at in range(text.size - size + 1):
        same_so_far = 0
        while same_so_far < size and _lowered[text.at[at + same_so_far]] == <uint8_t>part[same_so_far]:
            same_so_far += 1
        if same_so_far == size:
            return True
    return False
