# Deadlines: a heap of waiting objects. Each is in the heap once, at the earliest of its timers.

cdef struct Waiter:
    double due
    uint64_t order  # among those who are due at the same instant
    Py_ssize_t place  # in the heap, -1 if it is in none
    void *owner

cdef struct Heap:
    Waiter **waiters
    Py_ssize_t count
    Py_ssize_t room
    uint64_t order


cdef inline bint _is_before(const Waiter *one, const Waiter *other) noexcept nogil:
    return one.due < other.due or (one.due == other.due and one.order < other.order)


cdef inline void _place_at(Heap *heap, Waiter *waiter, Py_ssize_t place) noexcept nogil:
    heap.waiters[place] = waiter
    waiter.place = place


cdef void _rise(Heap *heap, Waiter *waiter, Py_ssize_t place) noexcept nogil:
    cdef Py_ssize_t above
    while place > 0:
        above = (place - 1) >> 2
        if _is_before(heap.waiters[above], waiter):
            break
        _place_at(heap, heap.waiters[above], place)
        place = above
    _place_at(heap, waiter, place)


cdef void _sink(Heap *heap, Waiter *waiter, Py_ssize_t place) noexcept nogil:
    cdef Py_ssize_t below, first, last, each
    while True:
        first = 4 * place + 1
        if first >= heap.count:
            break
        below, last = first, min(first + 4, heap.count)
        for each in range(first + 1, last):
            if _is_before(heap.waiters[each], heap.waiters[below]):
                below = each
        if _is_before(waiter, heap.waiters[below]):
            break
        _place_at(heap, heap.waiters[below], place)
        place = below
    _place_at(heap, waiter, place)


cdef bint wait_until(Heap *heap, Waiter *waiter, double due) noexcept nogil:
    """Set the deadline of `waiter` anew. False: there is no memory."""
    cdef Waiter **waiters
    cdef double before = waiter.due
    if waiter.place < 0:
        if heap.count == heap.room:
            waiters = <Waiter **>realloc(heap.waiters, (2 * heap.room + 1024) * sizeof(void *))
            if waiters == NULL:
                return False
            heap.waiters, heap.room = waiters, 2 * heap.room + 1024
        waiter.due, waiter.order = due, heap.order
        heap.order += 1
        heap.count += 1
        _rise(heap, waiter, heap.count - 1)
        return True
    if due == before:
        return True
    waiter.due, waiter.order = due, heap.order
    heap.order += 1
    if due < before:
        _rise(heap, waiter, waiter.place)
    else:
        _sink(heap, waiter, waiter.place)
    return True


cdef void wait_no_more(Heap *heap, Waiter *waiter) noexcept nogil:
    cdef Py_ssize_t place = waiter.place
    cdef Waiter *last
    if place < 0:
        return
    waiter.place = -1
    heap.count -= 1
    last = heap.waiters[heap.count]
    if last == waiter:
        return
    if place > 0 and _is_before(last, heap.waiters[(place - 1) >> 2]):
        _rise(heap, last, place)
    else:
        _sink(heap, last, place)
