"""The codec's packed values (switchboard.codec, msgpack) as compiled code reads and writes them, plain ones only."""

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
    """Read the head of a list and return its length; -1 if there is none."""
    cdef int octet = read_octet(cursor)
    if 0x90 <= octet <= 0x9f:
        return octet - 0x90
    if octet == 0xdc:
        return read_number(cursor, 2)
    return -1


cdef inline bint read_text(Cursor *cursor, const unsigned char **text, Py_ssize_t *size) noexcept nogil:
    """Read a text of less than 64 kB; false if there is none."""
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


cdef inline bint read_port(Cursor *cursor, uint16_t *port) noexcept nogil:
    cdef Py_ssize_t number = read_octet(cursor)
    if number == 0xcc:
        number = read_number(cursor, 1)
    elif number == 0xcd:
        number = read_number(cursor, 2)
    elif number > 0x7f:
        return False
    port[0] = <uint16_t>number
    return number > 0


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


cdef inline int text_head(Py_ssize_t size) noexcept nogil:
    return 1 if size < 32 else 2


cdef inline int number_size(uint16_t number) noexcept nogil:
    return 1 if number < 0x80 else 2 if number < 0x100 else 3


cdef inline int binary_head(Py_ssize_t size) noexcept nogil:
    return 2 if size < 0x100 else 3 if size < 0x10000 else 5


cdef inline unsigned char *write_text(unsigned char *to, const char *text, Py_ssize_t size) noexcept nogil:
    if size < 32:
        to[0] = <unsigned char>(0xa0 | size)
    else:
        to[0] = 0xd9
        to[1] = <unsigned char>size
    to += text_head(size)
    memcpy(to, text, size)
    return to + size


cdef inline unsigned char *write_number(unsigned char *to, uint16_t number) noexcept nogil:
    if number < 0x80:
        return write_big_endian(to, number, 1)
    to[0] = 0xcc if number < 0x100 else 0xcd
    return write_big_endian(to + 1, number, 1 if number < 0x100 else 2)


cdef inline unsigned char *write_binary(unsigned char *to, const void *data, Py_ssize_t size) noexcept nogil:
    to[0] = 0xc4 if size < 0x100 else 0xc5 if size < 0x10000 else 0xc6
    to = write_big_endian(to + 1, size, binary_head(size) - 1)
    memcpy(to, data, size)
    return to + size
