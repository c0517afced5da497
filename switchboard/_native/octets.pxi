# Octets: slices of what came, buffers of what leaves, and tables that find things by a keyed hash.

from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free, malloc, realloc
from libc.string cimport memchr, memcmp, memcpy, memmove, memset

cdef struct Slice:
    const uint8_t *at
    Py_ssize_t size

cdef struct Buffer:
    # Octets that grow. `failed`: there was no memory, and what should be in it is not whole.
    uint8_t *data
    Py_ssize_t size
    Py_ssize_t room
    bint failed

cdef struct Node:
    # What is in a table, embedded in its owner.
    uint64_t hash
    Node *next
    void *owner

cdef struct Table:
    Node **buckets
    Py_ssize_t mask
    Py_ssize_t count

cdef uint64_t _secret[2]


cdef inline Slice slice_of(const uint8_t *at, const uint8_t *end) noexcept nogil:
    cdef Slice found
    found.at, found.size = at, end - at
    return found


cdef inline Slice nothing() noexcept nogil:
    cdef Slice found
    found.at, found.size = NULL, 0
    return found


cdef inline bint same(Slice one, Slice other) noexcept nogil:
    return one.size == other.size and (one.size == 0 or memcmp(one.at, other.at, one.size) == 0)


cdef inline bint is_text(Slice one, const char *text, Py_ssize_t size) noexcept nogil:
    return one.size == size and memcmp(one.at, text, size) == 0


cdef inline bint reserve(Buffer *buffer, Py_ssize_t more) noexcept nogil:
    """Make room; False if there is no memory."""
    cdef Py_ssize_t room
    cdef uint8_t *data
    if buffer.size + more <= buffer.room:
        return True
    room = 2 * (buffer.size + more) + 256
    data = <uint8_t *>realloc(buffer.data, room)
    if data == NULL:
        buffer.failed = True
        return False
    buffer.data, buffer.room = data, room
    return True


cdef inline void put(Buffer *buffer, const void *data, Py_ssize_t size) noexcept nogil:
    if size > 0 and reserve(buffer, size):
        memcpy(buffer.data + buffer.size, data, size)
        buffer.size += size


cdef inline void put_slice(Buffer *buffer, Slice part) noexcept nogil:
    put(buffer, part.at, part.size)


cdef inline void put_octet(Buffer *buffer, uint8_t octet) noexcept nogil:
    if reserve(buffer, 1):
        buffer.data[buffer.size] = octet
        buffer.size += 1


cdef inline void put_decimal(Buffer *buffer, int64_t number) noexcept nogil:
    """Write a number that is not negative in decimal digits."""
    cdef uint8_t digits[20]
    cdef int at = 20
    while True:
        at -= 1
        digits[at] = c'0' + number % 10
        number //= 10
        if number == 0:
            break
    put(buffer, digits + at, 20 - at)


cdef inline void put_hexadecimal(Buffer *buffer, uint64_t number, int least) noexcept nogil:
    """Write a number in lower-case hexadecimal digits, `least` of them at least."""
    cdef uint8_t digits[16]
    cdef int at = 16, digit
    while number or 16 - at < least:
        at -= 1
        digit = number & 15
        digits[at] = c'0' + digit if digit < 10 else c'a' + digit - 10
        number >>= 4
    put(buffer, digits + at, 16 - at)


cdef inline Slice content(const Buffer *buffer) noexcept nogil:
    cdef Slice found
    found.at, found.size = buffer.data, buffer.size
    return found


cdef extern from *:
    """
    static inline uint64_t folded(uint64_t one, uint64_t other) {
        unsigned __int128 product = (unsigned __int128)one * other;
        return (uint64_t)product ^ (uint64_t)(product >> 64);
    }
    """
    uint64_t folded(uint64_t one, uint64_t other) nogil


cdef uint64_t hash_of(Slice octets, uint64_t start) noexcept nogil:
    """A hash that nobody outside can foresee: both halves of products with secrets of the process, folded."""
    cdef const uint8_t *at = octets.at
    cdef Py_ssize_t left = octets.size
    cdef uint64_t words[2]
    cdef uint64_t hash = folded(start ^ _secret[0], _secret[1])
    while left > 0:
        words[0] = words[1] = 0
        memcpy(words, at, min(left, <Py_ssize_t>16))
        hash = folded(words[0] ^ _secret[0], words[1] ^ _secret[1] ^ hash)
        at += 16
        left -= 16
    return folded(hash ^ _secret[1], <uint64_t>octets.size ^ _secret[0])


cdef bint open_table(Table *table) noexcept nogil:
    table.buckets = <Node **>calloc(1024, sizeof(void *))
    table.mask, table.count = 1023, 0
    return table.buckets != NULL


cdef void close_table(Table *table) noexcept nogil:
    free(table.buckets)
    table.buckets = NULL


cdef inline Node *first_in(const Table *table, uint64_t hash) noexcept nogil:
    """The first node with this hash, NULL if there is none; `next_in` gives the others."""
    cdef Node *node = table.buckets[hash & table.mask]
    while node != NULL and node.hash != hash:
        node = node.next
    return node


cdef inline Node *next_in(Node *node) noexcept nogil:
    cdef uint64_t hash = node.hash
    node = node.next
    while node != NULL and node.hash != hash:
        node = node.next
    return node


cdef void _widen(Table *table) noexcept nogil:
    cdef Py_ssize_t at, mask = 2 * table.mask + 1
    cdef Node **buckets = <Node **>calloc(mask + 1, sizeof(void *))
    cdef Node *node
    cdef Node *following
    if buckets == NULL:
        return  # longer chains, and all is found
    for at in range(table.mask + 1):
        node = table.buckets[at]
        while node != NULL:
            following = node.next
            node.next = buckets[node.hash & mask]
            buckets[node.hash & mask] = node
            node = following
    free(table.buckets)
    table.buckets, table.mask = buckets, mask


cdef void add_to(Table *table, Node *node, uint64_t hash, void *owner) noexcept nogil:
    if table.count > table.mask:
        _widen(table)
    node.hash, node.owner = hash, owner
    node.next = table.buckets[hash & table.mask]
    table.buckets[hash & table.mask] = node
    table.count += 1


cdef void take_from(Table *table, Node *node) noexcept nogil:
    """Remove a node; nothing happens if it is not there."""
    cdef Node **place
    if node.owner == NULL:
        return
    place = &table.buckets[node.hash & table.mask]
    while place[0] != NULL and place[0] != node:
        place = &place[0].next
    if place[0] == node:
        place[0] = node.next
        table.count -= 1
    node.owner = NULL
