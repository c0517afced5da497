# The mask of a call by a trunk, in a parameter of our Record-Route (core/trunk_masks.py): made, and read.

cdef enum:
    MASK_IV = 10  # octets of the keyed hash, which proves the mask, and makes the key stream (auth/keys.py)
    MASK_BLOCK = 32
    MASK_FIELDS = 7
    LONGEST_MASK = 880  # octets of the text
    LARGEST_MASK = 900
    LONGEST_TOKEN = 1200

cdef struct Mask:
    Slice trunk
    uint32_t base
    uint32_t answers
    Slice near_from
    Slice near_to
    Slice far_from
    Slice far_to


cdef inline void _begin_mask(Blake2s *sum, Slice key, int size) noexcept nogil:
    begin_sum(sum, key.at, <int>key.size, <const uint8_t *>b"trunk\0\0\0", size)


cdef inline void _add_text(Blake2s *sum, const char *text, Py_ssize_t size) noexcept nogil:
    cdef Slice octets
    octets.at, octets.size = <const uint8_t *>text, size
    add_to_sum(sum, octets)


cdef void _prove_mask(uint8_t *to, Slice key, Slice text, Slice call_id, Slice tag) noexcept nogil:
    """The keyed hash over a mask, and what it is bound to."""
    cdef Blake2s sum
    _begin_mask(&sum, key, MASK_IV)
    _add_text(&sum, b"iv\0", 3)
    add_to_sum(&sum, call_id)
    add_to_sum(&sum, _NEWLINE)
    add_to_sum(&sum, tag)
    add_to_sum(&sum, _NEWLINE)
    add_to_sum(&sum, text)
    end_sum(&sum, to, MASK_IV)


cdef void _crypt(Slice key, Slice iv, uint8_t *at, Py_ssize_t size) noexcept nogil:
    """Put the key stream over the octets, or take it off."""
    cdef Blake2s sum
    cdef uint8_t block[MASK_BLOCK]
    cdef uint8_t digits[2]
    cdef Py_ssize_t each
    cdef int number = 0
    while size > 0:
        digits[0], digits[1] = <uint8_t>(c'0' + number // 10), <uint8_t>(c'0' + number % 10)
        _begin_mask(&sum, key, MASK_BLOCK)
        _add_text(&sum, b"stream\0", 7)
        _add_text(&sum, <const char *>digits + (number < 10), 1 + (number >= 10))
        _add_text(&sum, b"\0", 1)
        add_to_sum(&sum, iv)
        end_sum(&sum, block, MASK_BLOCK)
        for each in range(min(size, <Py_ssize_t>MASK_BLOCK)):
            at[each] ^= block[each]
        at += MASK_BLOCK
        size -= MASK_BLOCK
        number += 1


cdef bint pack_mask(Buffer *to, const Mask *mask) noexcept nogil:
    """Write the text of a mask; False if it is too long."""
    pack_list(to, MASK_FIELDS)
    pack_text(to, mask.trunk)
    pack_number(to, mask.base)
    pack_number(to, mask.answers)
    pack_text(to, mask.near_from)
    pack_text(to, mask.near_to)
    pack_text(to, mask.far_from)
    pack_text(to, mask.far_to)
    return not to.failed and to.size <= LONGEST_MASK


cdef bint read_mask(Slice text, Mask *mask) noexcept nogil:
    """Read such a text; False if it is none."""
    cdef Cursor cursor
    cursor.at, cursor.end = text.at, text.at + text.size
    return (
        read_list(&cursor) == MASK_FIELDS and _read_text(&cursor, &mask.trunk) and _read_number(&cursor, &mask.base)
        and _read_number(&cursor, &mask.answers) and _read_text(&cursor, &mask.near_from)
        and _read_text(&cursor, &mask.near_to) and _read_text(&cursor, &mask.far_from)
        and _read_text(&cursor, &mask.far_to) and cursor.at == cursor.end
    )


cdef void put_token(Buffer *to, Slice text, Slice key, Slice call_id, Slice tag) noexcept nogil:
    """Write the token of the text of a mask, LONGEST_MASK at most. `tag`: the phone's."""
    cdef uint8_t octets[LARGEST_MASK]
    cdef Slice iv
    _prove_mask(octets, key, text, call_id, tag)
    memcpy(octets + MASK_IV, text.at, text.size)
    iv.at, iv.size = octets, MASK_IV
    _crypt(key, iv, octets + MASK_IV, text.size)
    put_base64(to, octets, MASK_IV + text.size)


cdef Slice read_token(Slice token, Slice key, Slice call_id, Slice tag, uint8_t *octets) noexcept nogil:
    """The text in a token (untrusted) made for a phone with this `tag`; nothing if it is none.

    `octets`: room for LARGEST_MASK, in which the text then is.
    """
    cdef uint8_t proof[MASK_IV]
    cdef uint8_t differs = 0
    cdef Slice iv
    cdef Py_ssize_t size
    cdef int at
    if token.size > LONGEST_TOKEN:
        return nothing()
    size = read_base64(token, octets, LARGEST_MASK)
    if size <= MASK_IV:
        return nothing()
    iv.at, iv.size = octets, MASK_IV
    _crypt(key, iv, octets + MASK_IV, size - MASK_IV)
    _prove_mask(proof, key, slice_of(octets + MASK_IV, octets + size), call_id, tag)
    for at in range(MASK_IV):
        differs |= proof[at] ^ octets[at]
    return nothing() if differs else slice_of(octets + MASK_IV, octets + size)


cdef bint _read_text(Cursor *cursor, Slice *text) noexcept nogil:
    cdef int64_t octet = read_big(cursor, 1)
    cdef int64_t size = octet - 0xA0 if 0xA0 <= octet <= 0xBF else -1
    if octet == 0xD9 or octet == 0xDA:
        size = read_big(cursor, 1 if octet == 0xD9 else 2)
    if size < 0 or cursor.end - cursor.at < size:
        return False
    text[0] = slice_of(cursor.at, cursor.at + size)
    cursor.at += size
    return True


cdef bint _read_number(Cursor *cursor, uint32_t *number) noexcept nogil:
    cdef int64_t octet = read_big(cursor, 1)
    if octet == 0xCC or octet == 0xCD or octet == 0xCE:
        octet = read_big(cursor, 1 << (octet - 0xCC))
    elif octet > 0x7F:
        return False
    number[0] = <uint32_t>octet
    return octet >= 0


cdef bint put_renamed(Buffer *to, Slice value, Slice uri) noexcept nogil:
    """Write a From or To with another URI, as `NameAddr` writes it; False if that may write it otherwise."""
    cdef Slice old, tag
    cdef const uint8_t *stop
    cdef const uint8_t *rest
    cdef const uint8_t *end = value.at + value.size
    cdef bint is_bracketed
    if not _read_address(value, &old, &tag):
        return False
    is_bracketed = old.at > value.at and (old.at - 1)[0] == c'<'
    stop = old.at - is_bracketed
    while stop > value.at and ((stop - 1)[0] == c' ' or (stop - 1)[0] == c'\t'):
        stop -= 1
    if stop > value.at:
        put(to, value.at, stop - value.at)
        put_octet(to, c' ')
    put_octet(to, c'<')
    put_slice(to, uri)
    put_octet(to, c'>')
    rest = old.at + old.size + is_bracketed
    put_slice(to, slice_of(rest, end))
    return rest == end or ((end - 1)[0] != c'=' and memmem(rest, end - rest, b"=;", 2) == NULL)
