# The index of a log: its keys, and the places of their values.
#
# Theory. The index is a hash table with open addressing and linear probing. A slot has the hash of its entry, so a
# probe reads an entry's memory only if the hashes agree. There are no tombstones: when an entry is removed, the entries
# behind it that belong into an earlier slot move up. All entries are also in a list, the one that was written longest
# ago first, because the cleaning of the log begins with the oldest values.

from libc.stdint cimport uint16_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free, malloc
from libc.string cimport memcmp, memcpy

cdef enum:
    INDEX_ROOM = 1024  # slots of the first table, a power of two

cdef struct LogSegment:
    LogSegment *next  # the segment that was begun after it
    long number
    Py_ssize_t size
    Py_ssize_t residents  # live values in it
    int reader  # a descriptor; -1: the file is not open

cdef struct LogEntry:
    LogEntry *older
    LogEntry *newer
    LogSegment *segment
    Py_ssize_t start  # of the value, in the segment's file
    uint32_t length
    uint32_t hash
    uint16_t key_size  # the key follows this struct
    uint16_t written  # whether a file has a record of this key, even if the newest one still waits

cdef struct IndexSlot:
    LogEntry *entry  # NULL: the slot is free
    uint32_t hash  # of the entry

cdef struct KeyIndex:
    IndexSlot *slots
    size_t room
    size_t count
    uint64_t seed
    LogEntry *oldest
    LogEntry *newest


cdef inline unsigned char *entry_key(LogEntry *entry) noexcept nogil:
    return <unsigned char *>(entry + 1)


cdef inline uint64_t _mixed(uint64_t state, uint64_t word) noexcept nogil:
    state = (state ^ word) * <uint64_t>0x9E3779B97F4A7C15
    return state ^ state >> 32


cdef inline uint32_t _hash_of(uint64_t seed, const unsigned char *key, Py_ssize_t size) noexcept nogil:
    cdef uint64_t state = _mixed(seed, size), word
    while size > 0:
        word = 0
        memcpy(&word, key, 8 if size > 8 else size)
        state = _mixed(state, word)
        key += 8
        size -= 8
    return <uint32_t>state


cdef LogEntry *index_find(KeyIndex *index, const unsigned char *key, Py_ssize_t size) noexcept nogil:
    """Return the entry of `key`; NULL without one."""
    cdef uint32_t hashed
    cdef size_t slot
    cdef LogEntry *entry
    if index.count == 0:
        return NULL
    hashed = _hash_of(index.seed, key, size)
    slot = hashed & (index.room - 1)
    while True:
        entry = index.slots[slot].entry
        if entry == NULL:
            return NULL
        if index.slots[slot].hash == hashed and entry.key_size == size:
            if memcmp(entry_key(entry), key, size) == 0:
                return entry
        slot = (slot + 1) & (index.room - 1)


cdef inline void _index_place(KeyIndex *index, LogEntry *entry) noexcept nogil:
    cdef size_t slot = entry.hash & (index.room - 1)
    while index.slots[slot].entry != NULL:
        slot = (slot + 1) & (index.room - 1)
    index.slots[slot].entry, index.slots[slot].hash = entry, entry.hash


cdef int _index_grow(KeyIndex *index) noexcept nogil:
    cdef size_t room = 2 * index.room if index.room else INDEX_ROOM
    cdef IndexSlot *slots = <IndexSlot *>calloc(room, sizeof(IndexSlot))
    cdef LogEntry *entry = index.oldest
    if slots == NULL:
        return -1
    free(index.slots)
    index.slots, index.room = slots, room
    while entry != NULL:
        _index_place(index, entry)
        entry = entry.newer
    return 0


cdef LogEntry *index_add(KeyIndex *index, const unsigned char *key, Py_ssize_t size) noexcept nogil:
    """Add an entry, as the newest one, for a key without one; NULL: out of memory."""
    cdef LogEntry *entry
    if 2 * (index.count + 1) > index.room and _index_grow(index) < 0:
        return NULL
    entry = <LogEntry *>malloc(sizeof(LogEntry) + size)
    if entry == NULL:
        return NULL
    memcpy(entry_key(entry), key, size)
    entry.key_size, entry.written = <uint16_t>size, 0
    entry.hash = _hash_of(index.seed, key, size)
    _index_place(index, entry)
    index.count += 1
    _index_append(index, entry)
    return entry


cdef void index_remove(KeyIndex *index, LogEntry *entry) noexcept nogil:
    """Free the entry, and move up the entries that belong into an earlier slot."""
    cdef size_t mask = index.room - 1, hole = entry.hash & mask, slot
    while index.slots[hole].entry != entry:
        hole = (hole + 1) & mask
    slot = (hole + 1) & mask
    while index.slots[slot].entry != NULL:
        if ((slot - index.slots[slot].hash) & mask) >= ((slot - hole) & mask):
            index.slots[hole] = index.slots[slot]
            hole = slot
        slot = (slot + 1) & mask
    index.slots[hole].entry = NULL
    index.count -= 1
    _index_unlink(index, entry)
    free(entry)


cdef inline void index_renew(KeyIndex *index, LogEntry *entry) noexcept nogil:
    """Make the entry the newest one."""
    _index_unlink(index, entry)
    _index_append(index, entry)


cdef inline void _index_append(KeyIndex *index, LogEntry *entry) noexcept nogil:
    entry.older, entry.newer = index.newest, NULL
    if index.newest != NULL:
        index.newest.newer = entry
    else:
        index.oldest = entry
    index.newest = entry


cdef inline void _index_unlink(KeyIndex *index, LogEntry *entry) noexcept nogil:
    if entry.older != NULL:
        entry.older.newer = entry.newer
    else:
        index.oldest = entry.newer
    if entry.newer != NULL:
        entry.newer.older = entry.older
    else:
        index.newest = entry.older


cdef void index_clear(KeyIndex *index) noexcept nogil:
    """Free all entries and the table."""
    cdef LogEntry *entry = index.oldest
    cdef LogEntry *newer
    while entry != NULL:
        newer = entry.newer
        free(entry)
        entry = newer
    free(index.slots)
    index.slots, index.oldest, index.newest = NULL, NULL, NULL
    index.room = index.count = 0
