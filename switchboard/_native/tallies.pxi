# Numbers by the hash of what they are of, found by open addressing; 0 marks a free place.

cdef struct Tally:
    uint64_t *keys
    uint32_t *counts
    Py_ssize_t mask
    Py_ssize_t used


cdef bint open_tally(Tally *tally) noexcept nogil:
    tally.keys, tally.counts = <uint64_t *>calloc(256, 8), <uint32_t *>calloc(256, 4)
    tally.mask, tally.used = 255, 0
    return tally.keys != NULL and tally.counts != NULL


cdef void close_tally(Tally *tally) noexcept nogil:
    free(tally.keys)
    free(tally.counts)
    tally.keys, tally.counts = NULL, NULL


cdef void clear_tally(Tally *tally) noexcept nogil:
    if tally.used:
        memset(tally.keys, 0, (tally.mask + 1) * 8)
        tally.used = 0


cdef inline Py_ssize_t _place_of(const Tally *tally, uint64_t key) noexcept nogil:
    cdef Py_ssize_t place = <Py_ssize_t>(key & <uint64_t>tally.mask)
    while tally.keys[place] and tally.keys[place] != key:
        place = (place + 1) & tally.mask
    return place


cdef inline uint32_t counted(const Tally *tally, uint64_t key) noexcept nogil:
    """The number of this key; 0 of one that is not there."""
    cdef Py_ssize_t place = _place_of(tally, key | 1)
    return tally.counts[place] if tally.keys[place] else 0


cdef void count_one(Tally *tally, uint64_t key) noexcept nogil:
    """Add one to the number of this key; without memory for a new one it is not counted."""
    cdef Py_ssize_t place
    key |= 1
    if 2 * tally.used > tally.mask and not _widen_tally(tally) and tally.used >= tally.mask:
        return
    place = _place_of(tally, key)
    if tally.keys[place] == 0:
        tally.keys[place], tally.counts[place] = key, 0
        tally.used += 1
    tally.counts[place] += 1


cdef bint _widen_tally(Tally *tally) noexcept nogil:
    cdef Tally wider
    cdef Py_ssize_t at, place
    wider.mask, wider.used = 4 * tally.mask + 3, tally.used
    wider.keys, wider.counts = <uint64_t *>calloc(wider.mask + 1, 8), <uint32_t *>calloc(wider.mask + 1, 4)
    if wider.keys == NULL or wider.counts == NULL:
        close_tally(&wider)
        return False
    for at in range(tally.mask + 1):
        if tally.keys[at]:
            place = _place_of(&wider, tally.keys[at])
            wider.keys[place], wider.counts[place] = tally.keys[at], tally.counts[at]
    close_tally(tally)
    tally[0] = wider
    return True


cdef struct Generations:
    # What was counted in the period that runs, and in the one before.
    Tally young
    Tally old
    double began_at


cdef bint open_generations(Generations *both) noexcept nogil:
    both.began_at = 0
    return open_tally(&both.young) and open_tally(&both.old)


cdef void close_generations(Generations *both) noexcept nogil:
    close_tally(&both.young)
    close_tally(&both.old)


cdef void next_generation(Generations *both, bint keeps_old) noexcept nogil:
    cdef Tally tally = both.old
    both.old, both.young = both.young, tally
    clear_tally(&both.young)
    if not keeps_old:
        clear_tally(&both.old)


cdef void pass_time(Generations *both, double now, double lasts_s) noexcept nogil:
    """Begin a new period if the one that runs has lasted for so long."""
    if now - both.began_at >= lasts_s:
        next_generation(both, now - both.began_at < 2 * lasts_s)
        both.began_at = now
