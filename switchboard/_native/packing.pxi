# Plain values as the codec packs them (msgpack), written and read.

cdef struct Cursor:
    const uint8_t *at
    const uint8_t *end


cdef inline void pack_head(Buffer *buffer, Py_ssize_t length, uint8_t few, Py_ssize_t most, uint8_t one,
                           uint8_t two) noexcept nogil:
    """Write the head of a value with a length. `one`: 0 if a length has at least two octets."""
    cdef uint8_t head[5]
    if length < most:
        put_octet(buffer, few | <uint8_t>length)
    elif one and length < 0x100:
        head[0], head[1] = one, <uint8_t>length
        put(buffer, head, 2)
    elif length < 0x10000:
        head[0], head[1], head[2] = two, <uint8_t>(length >> 8), <uint8_t>length
        put(buffer, head, 3)
    else:
        head[0], head[1], head[2] = two + 1, <uint8_t>(length >> 24), <uint8_t>(length >> 16)
        head[3], head[4] = <uint8_t>(length >> 8), <uint8_t>length
        put(buffer, head, 5)


cdef inline void pack_list(Buffer *buffer, Py_ssize_t length) noexcept nogil:
    pack_head(buffer, length, 0x90, 16, 0, 0xDC)


cdef inline void pack_map(Buffer *buffer, Py_ssize_t length) noexcept nogil:
    pack_head(buffer, length, 0x80, 16, 0, 0xDE)


cdef inline void pack_text(Buffer *buffer, Slice text) noexcept nogil:
    pack_head(buffer, text.size, 0xA0, 32, 0xD9, 0xDA)
    put_slice(buffer, text)


cdef inline void pack_octets(Buffer *buffer, Slice octets) noexcept nogil:
    pack_head(buffer, octets.size, 0, 0, 0xC4, 0xC5)
    put_slice(buffer, octets)


cdef inline void pack_nil(Buffer *buffer) noexcept nogil:
    put_octet(buffer, 0xC0)


cdef inline void pack_truth(Buffer *buffer, bint truth) noexcept nogil:
    put_octet(buffer, 0xC3 if truth else 0xC2)


cdef inline void pack_number(Buffer *buffer, uint64_t number) noexcept nogil:
    cdef uint8_t head[9]
    cdef int octets, at
    if number < 0x80:
        put_octet(buffer, <uint8_t>number)
        return
    octets = 1 if number < 0x100 else 2 if number < 0x10000 else 4 if number < <uint64_t>0x100000000 else 8
    head[0] = 0xCC if octets == 1 else 0xCD if octets == 2 else 0xCE if octets == 4 else 0xCF
    for at in range(octets):
        head[1 + at] = <uint8_t>(number >> (8 * (octets - 1 - at)))
    put(buffer, head, 1 + octets)


cdef inline void pack_real(Buffer *buffer, double real) noexcept nogil:
    cdef uint8_t head[9]
    cdef uint64_t pattern
    cdef int at
    memcpy(&pattern, &real, 8)
    head[0] = 0xCB
    for at in range(8):
        head[1 + at] = <uint8_t>(pattern >> (8 * (7 - at)))
    put(buffer, head, 9)


cdef inline void pack_letter(Buffer *buffer, uint8_t letter) noexcept nogil:
    put_octet(buffer, 0xA1)
    put_octet(buffer, letter)


cdef inline int64_t read_big(Cursor *cursor, int octets) noexcept nogil:
    """Read a big-endian number; -1 if the octets end before."""
    cdef int64_t number = 0
    if cursor.end - cursor.at < octets:
        return -1
    while octets:
        number = number << 8 | cursor.at[0]
        cursor.at += 1
        octets -= 1
    return number


cdef inline Py_ssize_t read_list(Cursor *cursor) noexcept nogil:
    """Read the length of a list; -1 if no list begins here."""
    cdef int64_t octet = read_big(cursor, 1)
    if 0x90 <= octet <= 0x9F:
        return octet - 0x90
    if octet == 0xDC:
        return read_big(cursor, 2)
    return read_big(cursor, 4) if octet == 0xDD else -1


cdef inline bint read_octets(Cursor *cursor, Slice *found) noexcept nogil:
    """Read a `bin`; False if none begins here."""
    cdef int64_t octet = read_big(cursor, 1)
    cdef int64_t size = -1
    if 0xC4 <= octet <= 0xC6:
        size = read_big(cursor, 1 << (octet - 0xC4))
    if size < 0 or cursor.end - cursor.at < size:
        return False
    found.at, found.size = cursor.at, size
    cursor.at += size
    return True


cdef inline bint read_real(Cursor *cursor, double *found) noexcept nogil:
    """Read a float; False, and nothing is read, if none begins here."""
    cdef uint64_t pattern = 0
    cdef int at
    if cursor.end - cursor.at < 9 or cursor.at[0] != 0xCB:
        return False
    for at in range(8):
        pattern = pattern << 8 | cursor.at[1 + at]
    memcpy(found, &pattern, 8)
    cursor.at += 9
    return True
