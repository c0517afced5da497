"""Reads and writes what crosses the bus, as far as it is plain: the codec's packed values (switchboard.codec,
msgpack), flows (switchboard.sip.flow), and the items that consist of them (switchboard.bus.frames).
"""

cdef enum:
    UDP_FLOW = 1
    IPV4_SIZE = 4
    IPV6_SIZE = 16
    TEXT_ADDRESS = 0x80  # marks an address that is not a plain IP address
    FLOW_ROOM = 1 + 2 * (1 + 127) + 2  # without a connection
    LIST_OF_TWO = 0x92
    LIST_OF_THREE = 0x93

cdef struct FlowParts:
    # of a packed flow; addresses begin with their size
    int transport
    const unsigned char *local
    const unsigned char *host
    uint16_t port
    Py_ssize_t connection_size

cdef struct Cursor:
    const unsigned char *at
    const unsigned char *end


cdef inline Py_ssize_t read_number(Cursor *cursor, int octets) noexcept nogil:
    """Read a big-endian number; -1 if the frame ends before."""
    cdef Py_ssize_t number = 0
    if cursor.end - cursor.at < octets:
        return -1
    for _ in range(octets):
        number = number << 8 | cursor.at[0]
        cursor.at += 1
    return number


cdef inline bint _read_octets(Cursor *cursor, const unsigned char **data, Py_ssize_t size) noexcept nogil:
    if size < 0 or cursor.end - cursor.at < size:
        return False
    data[0] = cursor.at
    cursor.at += size
    return True


cdef inline int read_octet(Cursor *cursor) noexcept nogil:
    return <int>read_number(cursor, 1)


cdef inline Py_ssize_t read_array(Cursor *cursor) noexcept nogil:
    """Read the length of a list; -1 if no list begins here."""
    cdef int octet = read_octet(cursor)
    if 0x90 <= octet <= 0x9f:
        return octet - 0x90
    if octet == 0xdc:
        return read_number(cursor, 2)
    return -1


cdef inline bint read_text(Cursor *cursor, const unsigned char **text, Py_ssize_t *size) noexcept nogil:
    """Read a text of less than 64 kB; False if none begins here."""
    cdef int octet = read_octet(cursor)
    if 0xa0 <= octet <= 0xbf:
        size[0] = octet - 0xa0
    elif octet == 0xd9:
        size[0] = read_number(cursor, 1)
    elif octet == 0xda:
        size[0] = read_number(cursor, 2)
    else:
        return False
    return _read_octets(cursor, text, size[0])


cdef inline bint read_binary(Cursor *cursor, const unsigned char **data, Py_ssize_t *size) noexcept nogil:
    cdef int octet = read_octet(cursor)
    if octet == 0xc4:
        size[0] = read_number(cursor, 1)
    elif octet == 0xc5:
        size[0] = read_number(cursor, 2)
    elif octet == 0xc6:
        size[0] = read_number(cursor, 4)
    else:
        return False
    return _read_octets(cursor, data, size[0])


cdef inline unsigned char *write_big_endian(unsigned char *to, Py_ssize_t number, int octets) noexcept nogil:
    cdef int each
    for each in range(octets):
        to[each] = <unsigned char>(number >> 8 * (octets - 1 - each))
    return to + octets


cdef inline int list_head(Py_ssize_t length) noexcept nogil:
    return 1 if length < 16 else 3 if length < 0x10000 else 5


cdef inline int binary_head(Py_ssize_t size) noexcept nogil:
    return 2 if size < 0x100 else 3 if size < 0x10000 else 5


cdef inline unsigned char *write_list_head(unsigned char *to, Py_ssize_t length) noexcept nogil:
    if length < 16:
        return write_big_endian(to, 0x90 | length, 1)
    to[0] = 0xdc if length < 0x10000 else 0xdd
    return write_big_endian(to + 1, length, list_head(length) - 1)


cdef inline unsigned char *write_binary_head(unsigned char *to, Py_ssize_t size) noexcept nogil:
    to[0] = 0xc4 if size < 0x100 else 0xc5 if size < 0x10000 else 0xc6
    return write_big_endian(to + 1, size, binary_head(size) - 1)


cdef inline unsigned char *write_binary(unsigned char *to, const void *data, Py_ssize_t size) noexcept nogil:
    to = write_binary_head(to, size)
    memcpy(to, data, size)
    return to + size


cdef inline Py_ssize_t address_size(const unsigned char *address) noexcept nogil:
    """Octets behind the first one."""
    return address[0] & ~TEXT_ADDRESS


cdef inline bint _is_address(const unsigned char *address) noexcept nogil:
    return address[0] & TEXT_ADDRESS or address[0] == 0 or address[0] == IPV4_SIZE or address[0] == IPV6_SIZE


cdef inline bint read_flow(const unsigned char *flow, Py_ssize_t size, FlowParts *parts) noexcept nogil:
    """Read a packed flow; False if it is not one."""
    cdef Py_ssize_t host, port
    if size < 2 or not _is_address(flow + 1):
        return False
    host = 2 + address_size(flow + 1)
    if size <= host or not _is_address(flow + host):
        return False
    port = host + 1 + address_size(flow + host)
    if size < port + 2:
        return False
    parts.transport = flow[0]
    parts.local = flow + 1
    parts.host = flow + host
    parts.port = <uint16_t>(flow[port] << 8 | flow[port + 1])
    parts.connection_size = size - port - 2
    return True


cdef inline unsigned char *write_address(unsigned char *to, int kind, const void *octets, int size) noexcept nogil:
    """Write an address. `kind`: TEXT_ADDRESS, or 0 for an IP address."""
    to[0] = <unsigned char>(kind | size)
    memcpy(to + 1, octets, size)
    return to + 1 + size
