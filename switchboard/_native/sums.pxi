# Sums and their spellings: keyed BLAKE2s (RFC 7693), base64url without padding (RFC 4648 §5).

cdef uint8_t _base64_value[256]
cdef const char *_BASE64 = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
cdef uint32_t *_IV = [
    0x6A09E667, 0xBB67AE85, 0x3C6EF372, 0xA54FF53A, 0x510E527F, 0x9B05688C, 0x1F83D9AB, 0x5BE0CD19,
]
cdef uint8_t[10][16] _SIGMA

cdef struct Blake2s:
    uint32_t state[8]
    uint8_t block[64]
    uint64_t total
    int filled


def _fill_sums():
    cdef int octet, row
    for octet in range(256):
        _base64_value[octet] = 255
    for octet in range(64):
        _base64_value[<uint8_t>_BASE64[octet]] = octet
    rows = (
        "0123456789abcdef", "ea489fd61c02b753", "b8c052fdae367194", "7931dcbe265a40f8", "905724afe1bc683d",
        "2c6a0b834d75fe19", "c51fed4a0763928b", "db7ec13950f4862a", "6fe9b308c2d714a5", "a2847615fb9e3cd0",
    )
    # RFC 7693 §2.7 lists the permutations; the digits above are theirs
    for row in range(10):
        for octet in range(16):
            _SIGMA[row][octet] = int(rows[row][octet], 16)


_fill_sums()


cdef inline uint32_t _rotated(uint32_t word, int bits) noexcept nogil:
    return (word >> bits) | (word << (32 - bits))


cdef inline void _mix(uint32_t *v, int a, int b, int c, int d, uint32_t x, uint32_t y) noexcept nogil:
    v[a] = v[a] + v[b] + x
    v[d] = _rotated(v[d] ^ v[a], 16)
    v[c] = v[c] + v[d]
    v[b] = _rotated(v[b] ^ v[c], 12)
    v[a] = v[a] + v[b] + y
    v[d] = _rotated(v[d] ^ v[a], 8)
    v[c] = v[c] + v[d]
    v[b] = _rotated(v[b] ^ v[c], 7)


cdef void _compress(Blake2s *sum, bint is_last) noexcept nogil:
    cdef uint32_t v[16]
    cdef uint32_t m[16]
    cdef uint8_t *s
    cdef int at
    memcpy(m, sum.block, 64)
    for at in range(8):
        v[at], v[at + 8] = sum.state[at], _IV[at]
    v[12] ^= <uint32_t>sum.total
    v[13] ^= <uint32_t>(sum.total >> 32)
    if is_last:
        v[14] = ~v[14]
    for at in range(10):
        s = _SIGMA[at]
        _mix(v, 0, 4, 8, 12, m[s[0]], m[s[1]])
        _mix(v, 1, 5, 9, 13, m[s[2]], m[s[3]])
        _mix(v, 2, 6, 10, 14, m[s[4]], m[s[5]])
        _mix(v, 3, 7, 11, 15, m[s[6]], m[s[7]])
        _mix(v, 0, 5, 10, 15, m[s[8]], m[s[9]])
        _mix(v, 1, 6, 11, 12, m[s[10]], m[s[11]])
        _mix(v, 2, 7, 8, 13, m[s[12]], m[s[13]])
        _mix(v, 3, 4, 9, 14, m[s[14]], m[s[15]])
    for at in range(8):
        sum.state[at] ^= v[at] ^ v[at + 8]


cdef void begin_sum(Blake2s *sum, const uint8_t *key, int key_size, const uint8_t *person, int size) noexcept nogil:
    """Begin a sum of `size` octets with a key of at most 32 and a person of 8 octets (RFC 7693 §2.5, §3.3)."""
    cdef uint32_t words[2]
    cdef int at
    for at in range(8):
        sum.state[at] = _IV[at]
    sum.state[0] ^= <uint32_t>(0x01010000 ^ (key_size << 8) ^ size)
    memcpy(words, person, 8)
    sum.state[6] ^= words[0]
    sum.state[7] ^= words[1]
    memset(sum.block, 0, 64)
    memcpy(sum.block, key, key_size)
    sum.total, sum.filled = 0, 64


cdef void add_to_sum(Blake2s *sum, Slice octets) noexcept nogil:
    cdef Py_ssize_t part
    while octets.size > 0:
        if sum.filled == 64:
            sum.total += 64
            _compress(sum, False)
            sum.filled = 0
        part = min(octets.size, <Py_ssize_t>(64 - sum.filled))
        memcpy(sum.block + sum.filled, octets.at, part)
        sum.filled += <int>part
        octets.at += part
        octets.size -= part


cdef void end_sum(Blake2s *sum, uint8_t *to, int size) noexcept nogil:
    memset(sum.block + sum.filled, 0, 64 - sum.filled)
    sum.total += sum.filled
    _compress(sum, True)
    memcpy(to, sum.state, size)


cdef void put_base64(Buffer *buffer, const uint8_t *at, Py_ssize_t size) noexcept nogil:
    cdef uint32_t word
    cdef uint8_t *to
    if not reserve(buffer, (size + 2) // 3 * 4):
        return
    to = buffer.data + buffer.size
    while size >= 3:
        word = <uint32_t>at[0] << 16 | <uint32_t>at[1] << 8 | at[2]
        to[0], to[1] = _BASE64[word >> 18], _BASE64[(word >> 12) & 63]
        to[2], to[3] = _BASE64[(word >> 6) & 63], _BASE64[word & 63]
        at += 3
        size -= 3
        to += 4
    if size:
        word = <uint32_t>at[0] << 16 | (<uint32_t>at[1] << 8 if size == 2 else 0)
        to[0], to[1] = _BASE64[word >> 18], _BASE64[(word >> 12) & 63]
        to += 2
        if size == 2:
            to[0] = _BASE64[(word >> 6) & 63]
            to += 1
    buffer.size = to - buffer.data


cdef Py_ssize_t read_base64(Slice text, uint8_t *to, Py_ssize_t room) noexcept nogil:
    """Decode the text. Returns the number of octets; -1 if the text is not in the form that we write."""
    cdef uint32_t word = 0
    cdef int bits = 0, value
    cdef Py_ssize_t at, size = 0
    if text.size % 4 == 1 or text.size // 4 * 3 + 3 > room:
        return -1
    for at in range(text.size):
        value = _base64_value[text.at[at]]
        if value == 255:
            return -1
        word = word << 6 | <uint32_t>value
        bits += 6
        if bits >= 8:
            bits -= 8
            to[size] = <uint8_t>(word >> bits)
            size += 1
    return -1 if word & ((1 << bits) - 1) else size
