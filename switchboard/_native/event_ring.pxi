# Native twin of wal/event_ring.py: the same numbers, octets, records and instants.

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from libc.math cimport INFINITY
from libc.stdint cimport uint64_t
from libc.stdlib cimport free, malloc
from libc.string cimport memcpy, memset

from switchboard.wal.segment import EVENTS_KEPT, REPEAT_S
from switchboard.wal.event_ring import EVENT

cdef enum:
    RING_ROOM = 256  # of the first ring, a power of two
    RING_KEY_BYTES = 9
    RING_HEAD_BYTES = 3 + 9  # the longest head of a list and its number

cdef unsigned char _event_tag = EVENT[0]
cdef double _ring_repeat_s = REPEAT_S

cdef struct RingItem:
    unsigned long long number
    unsigned char *octets  # the packed list, which begins with its number
    Py_ssize_t size

cdef struct Ring:
    Log *log
    RingItem *items
    size_t room
    size_t first  # place of the oldest event, modulo `room`
    size_t count
    size_t keep
    unsigned long long last
    unsigned long long told
    unsigned long long dropped
    double quiet_since  # monotonic s, if `is_awaiting`
    bint is_awaiting  # an acknowledgement


cdef void ring_init(Ring *ring, Log *log, size_t keep) noexcept nogil:
    """Initialise an empty ring whose events are kept in `log`."""
    memset(ring, 0, sizeof(Ring))
    ring.log, ring.keep = log, keep


cdef void ring_free(Ring *ring) noexcept nogil:
    while ring.count > 0:
        _ring_pop(ring)
    free(ring.items)
    ring.items, ring.room = NULL, 0


cdef unsigned long long ring_put(Ring *ring, const unsigned char *rest, Py_ssize_t size) noexcept nogil:
    """Give an event the next number, from 1 on, and return it; 0: out of memory, or `rest` is not a packed list.

    `rest` is the msgpack list `[kind, call_id, from_tag, at, detail…]` with its own head, which counts these
    elements: its octets are the value in the log. In the ring, and in frames, the number stands before them and is
    counted, too.
    """
    cdef unsigned long long number = ring.last + 1
    cdef unsigned char key[RING_KEY_BYTES]
    if ring_keep(ring, number, rest, size) < 0:
        return 0
    _ring_key(key, number)
    if log_put(ring.log, key, RING_KEY_BYTES, rest, size) < 0:
        ring.count -= 1
        free(_ring_item(ring, ring.count).octets)
        return 0
    ring.last = number
    if ring.count > ring.keep:
        _ring_erase_oldest(ring)
        ring.dropped += 1
    return number


cdef int ring_keep(Ring *ring, unsigned long long number, const unsigned char *rest, Py_ssize_t size) noexcept nogil:
    """Append the event of that number, which is in the log. -1: out of memory, -2: `rest` is not a packed list."""
    cdef unsigned char *octets
    cdef unsigned char *at
    cdef RingItem *item
    cdef Py_ssize_t head = 1, elements
    if size >= 1 and 0x90 <= rest[0] <= 0x9F:
        elements = rest[0] - 0x90
    elif size >= 3 and rest[0] == 0xDC and (rest[1] & rest[2]) != 0xFF:
        head, elements = 3, rest[1] << 8 | rest[2]
    else:
        return -2
    octets = <unsigned char *>malloc(RING_HEAD_BYTES + size)
    if octets == NULL or (ring.count == ring.room and _ring_grow(ring) < 0):
        free(octets)
        return -1
    at = _ring_write_number(_ring_write_head(octets, elements + 1), number)
    memcpy(at, rest + head, size - head)
    item = _ring_item(ring, ring.count)
    item.number, item.octets, item.size = number, octets, at - octets + size - head
    ring.count += 1
    return 0


cdef size_t ring_due(Ring *ring, double now, size_t at_most, size_t *skip) noexcept nogil:
    """Return how many events to send now, and how many sent ones precede them. `now`: monotonic s."""
    cdef size_t low = 0, high = ring.count, middle
    if ring.is_awaiting and now - ring.quiet_since >= _ring_repeat_s:
        ring.told = 0
        ring.quiet_since = now
    while low < high:
        middle = (low + high) // 2
        if _ring_item(ring, middle).number <= ring.told:
            low = middle + 1
        else:
            high = middle
    skip[0] = low
    return ring.count - low if ring.count - low < at_most else at_most


cdef inline bint ring_has_news(Ring *ring) noexcept nogil:
    return ring.count > 0 and ring.told < _ring_item(ring, ring.count - 1).number


cdef inline double ring_deadline(Ring *ring) noexcept nogil:
    """When to send events again, monotonic s; INFINITY while none waits."""
    return ring.quiet_since + _ring_repeat_s if ring.is_awaiting else INFINITY


cdef void ring_told(Ring *ring, unsigned long long number, double now) noexcept nogil:
    """The journal has been sent everything up to `number`."""
    ring.told = number
    if not ring.is_awaiting:
        ring.is_awaiting, ring.quiet_since = True, now


cdef inline void ring_held(Ring *ring, double now) noexcept nogil:
    """The journal has received the events, and waits for its disk: they need not be sent again for now."""
    if ring.is_awaiting:
        ring.quiet_since = now


cdef size_t ring_acknowledge(Ring *ring, unsigned long long number, double now) noexcept nogil:
    """The journal has acknowledged all events up to `number`. Returns how many are no longer kept."""
    cdef size_t before = ring.count
    while ring.count > 0 and _ring_item(ring, 0).number <= number:
        _ring_erase_oldest(ring)
    if before != ring.count or ring.count == 0:
        ring.is_awaiting, ring.quiet_since = ring.count > 0, now
    return before - ring.count


cdef inline RingItem *_ring_item(Ring *ring, size_t place) noexcept nogil:
    return &ring.items[(ring.first + place) & (ring.room - 1)]


cdef void _ring_pop(Ring *ring) noexcept nogil:
    free(_ring_item(ring, 0).octets)
    ring.first += 1
    ring.count -= 1


cdef void _ring_erase_oldest(Ring *ring) noexcept nogil:
    cdef unsigned char key[RING_KEY_BYTES]
    _ring_key(key, _ring_item(ring, 0).number)
    log_erase(ring.log, key, RING_KEY_BYTES)  # if memory is short, the event stays, and a successor sends it again
    _ring_pop(ring)


cdef int _ring_grow(Ring *ring) noexcept nogil:
    cdef size_t room = 2 * ring.room if ring.room else RING_ROOM, place
    cdef RingItem *items = <RingItem *>malloc(room * sizeof(RingItem))
    if items == NULL:
        return -1
    for place in range(ring.count):
        items[place] = _ring_item(ring, place)[0]
    free(ring.items)
    ring.items, ring.room, ring.first = items, room, 0
    return 0


cdef void _ring_key(unsigned char *key, unsigned long long number) noexcept nogil:
    key[0] = _event_tag
    _ring_write_octets(key + 1, number, 8)


cdef inline unsigned char *_ring_write_octets(unsigned char *to, unsigned long long number, int octets) noexcept nogil:
    cdef int each
    for each in range(octets):
        to[each] = <unsigned char>(number >> 8 * (octets - 1 - each))
    return to + octets


cdef unsigned char *_ring_write_head(unsigned char *to, Py_ssize_t elements) noexcept nogil:
    if elements < 16:
        to[0] = <unsigned char>(0x90 | elements)
        return to + 1
    to[0] = 0xDC
    return _ring_write_octets(to + 1, elements, 2)


cdef unsigned char *_ring_write_number(unsigned char *to, unsigned long long number) noexcept nogil:
    if number < 0x80:
        return _ring_write_octets(to, number, 1)
    to[0] = 0xCC if number < 0x100 else 0xCD if number < 0x10000 else 0xCE if number >> 32 == 0 else 0xCF
    return _ring_write_octets(to + 1, number, 1 << (to[0] - 0xCC))


cdef class NativeEventRing:
    """Keeps events in order until their number is acknowledged, in memory and in `log`, which others commit; of
    more than `keep` the oldest are dropped.

    `now`: monotonic s. `dropped` counts. `last`: the number given last, from 1.
    """

    cdef Ring ring
    cdef NativeKeyedLog _log  # keeps what `ring.log` points to

    def __cinit__(self, NativeKeyedLog log not None, size_t keep=EVENTS_KEPT):
        self._log = log
        ring_init(&self.ring, &log.log, keep)

    def __dealloc__(self):
        ring_free(&self.ring)

    @property
    def keep(self):
        return self.ring.keep

    @keep.setter
    def keep(self, size_t keep):
        self.ring.keep = keep

    @property
    def dropped(self):
        return self.ring.dropped

    @property
    def last(self):
        return self.ring.last

    @property
    def waiting(self):
        """The number of events that are not acknowledged."""
        return self.ring.count

    @property
    def has_news(self):
        """Whether there are events to send now."""
        return ring_has_news(&self.ring)

    def put(self, bytes event not None):
        """Give `event` the next number, and return it. ValueError: it is not a packed list."""
        cdef unsigned long long number = ring_put(
            &self.ring, <const unsigned char *>PyBytes_AS_STRING(event), PyBytes_GET_SIZE(event)
        )
        if number == 0:
            raise ValueError(f"no packed list: {event[:16]!r}")
        return number

    def restore(self, unsigned long long last, events):
        """Take over from a predecessor: its last number, and the events in the log, by number."""
        cdef bytes event
        self.ring.last = last
        for number, event in sorted(events):
            self._keep(number, event)

    cdef int _keep(self, unsigned long long number, bytes event) except -1:
        cdef int kept = ring_keep(
            &self.ring, number, <const unsigned char *>PyBytes_AS_STRING(event), PyBytes_GET_SIZE(event)
        )
        if kept == -2:
            raise ValueError(f"no packed list: {event[:16]!r}")
        if kept < 0:
            raise MemoryError
        return 0

    def take(self, double now, size_t at_most=256):
        """Return the events to send now, oldest first: their count, octets, and last number; 0, b"", 0 without any."""
        cdef size_t skip = 0, place, count = ring_due(&self.ring, now, at_most, &skip)
        cdef Py_ssize_t size = 0
        for place in range(skip, skip + count):
            size += _ring_item(&self.ring, place).size
        cdef bytes octets = PyBytes_FromStringAndSize(NULL, size)
        cdef char *to = PyBytes_AS_STRING(octets)
        for place in range(skip, skip + count):
            memcpy(to, _ring_item(&self.ring, place).octets, _ring_item(&self.ring, place).size)
            to += _ring_item(&self.ring, place).size
        return count, octets, _ring_item(&self.ring, skip + count - 1).number if count else 0

    def told(self, unsigned long long number, double now):
        """The journal has been sent everything up to `number`."""
        ring_told(&self.ring, number, now)

    def held(self, double now):
        """The journal has received the events, and waits for its disk: they need not be sent again for now."""
        ring_held(&self.ring, now)

    def acknowledge(self, unsigned long long number, double now):
        """The journal has acknowledged all events up to `number`. Returns how many are no longer kept.

        A journal that says the same number again misses what follows it: that is no reason to wait longer.
        """
        return ring_acknowledge(&self.ring, number, now)

    def next_deadline(self):
        """When to send events again (monotonic s); None while none waits."""
        cdef double deadline = ring_deadline(&self.ring)
        return None if deadline == INFINITY else deadline
