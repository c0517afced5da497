# CRC-32 as zlib computes it, sixteen octets at a time (slicing-by-16): table k has the effect of an octet that is
# followed by k others.

from libc.stdint cimport uint32_t

cdef enum:
    CRC_STEP = 16

cdef uint32_t _crc[CRC_STEP][256]


cdef void _crc_fill() noexcept:
    cdef uint32_t crc
    cdef int octet, each
    for octet in range(256):
        crc = <uint32_t>octet
        for each in range(8):
            crc = crc >> 1 ^ (<uint32_t>0xEDB88320 if crc & 1 else 0)
        _crc[0][octet] = crc
    for octet in range(256):
        for each in range(1, CRC_STEP):
            crc = _crc[each - 1][octet]
            _crc[each][octet] = crc >> 8 ^ _crc[0][crc & 0xFF]


cdef inline uint32_t _crc_word(const unsigned char *at) noexcept nogil:
    return at[0] | <uint32_t>at[1] << 8 | <uint32_t>at[2] << 16 | <uint32_t>at[3] << 24


cdef inline uint32_t _crc_of_word(uint32_t word, int followed) noexcept nogil:
    """The effect of four octets that are followed by `followed` others of the same step."""
    return (
        _crc[followed + 3][word & 0xFF]
        ^ _crc[followed + 2][word >> 8 & 0xFF]
        ^ _crc[followed + 1][word >> 16 & 0xFF]
        ^ _crc[followed][word >> 24]
    )


cdef uint32_t crc32_of(const unsigned char *data, size_t size) noexcept nogil:
    """Return zlib.crc32 of these octets."""
    return crc32_on(0, data, size)


cdef uint32_t crc32_on(uint32_t crc, const unsigned char *data, size_t size) noexcept nogil:
    """Continue a sum."""
    crc = ~crc
    while size >= CRC_STEP:
        crc = (
            _crc_of_word(crc ^ _crc_word(data), 12)
            ^ _crc_of_word(_crc_word(data + 4), 8)
            ^ _crc_of_word(_crc_word(data + 8), 4)
            ^ _crc_of_word(_crc_word(data + 12), 0)
        )
        data += CRC_STEP
        size -= CRC_STEP
    while size > 0:
        crc = crc >> 8 ^ _crc[0][(crc ^ data[0]) & 0xFF]
        data += 1
        size -= 1
    return ~crc


_crc_fill()
