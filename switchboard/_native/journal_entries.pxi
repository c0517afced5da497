# Entries: one for each call that is open or was recorded, with the lists and hash tables that contain them.
#
# An entry and its texts are one block of memory; only the To tag of an open call, and who relayed it, are others. A hash table resolves
# collisions by chains through the entries, and doubles when it is half full. The hash function is the interpreter's
# keyed one, so that a peer cannot choose Call-IDs that collide.

cdef struct Text:
    const char *data
    Py_ssize_t size


cdef struct Media:
    int64_t from_caller, from_callee  # packets; of what nobody knows, the call is not plain
    Text engine  # stored behind it


cdef struct Link:
    Entry *previous
    Entry *following


cdef struct Entry:
    Entry *colliding
    uint64_t hash
    Link links[LISTS]
    int64_t serial, row  # row: the log's row in which it was last written, or 0
    int queue  # in which it waits, or -1
    bint has_changed
    PyObject *call  # owned reference; NULL while the call is plain
    bint is_second  # a recorded call has, or had, the same key
    double due_at, ended_at
    double started_at, ringing_at, answered_at, resumed_at, challenged_at, seen_at
    int64_t session_s
    int status, challenged_by
    bint is_past_us
    Text call_id, from_tag, caller, callee, to_tag  # all but the last are stored behind the entry
    Media *media  # who relayed an open call, or NULL


cdef struct List:
    Entry *first
    Entry *last


cdef struct Table:
    Entry **buckets
    Py_ssize_t mask, count


cdef inline void _append(List *list, Entry *entry, int which) noexcept nogil:
    entry.links[which].previous = list.last
    entry.links[which].following = NULL
    if list.last == NULL:
        list.first = entry
    else:
        list.last.links[which].following = entry
    list.last = entry


cdef inline void _remove(List *list, Entry *entry, int which) noexcept nogil:
    cdef Link *link = &entry.links[which]
    if link.previous == NULL:
        list.first = link.following
    else:
        link.previous.links[which].following = link.following
    if link.following == NULL:
        list.last = link.previous
    else:
        link.following.links[which].previous = link.previous


cdef inline uint64_t _hash(Text call_id, Text from_tag) noexcept:
    return <uint64_t>keyed_hash(call_id.data, call_id.size) * 3 + <uint64_t>keyed_hash(from_tag.data, from_tag.size)


cdef inline bint _is(Text one, Text other) noexcept nogil:
    return one.size == other.size and memcmp(one.data, other.data, one.size) == 0


cdef inline Entry *_look_up(Table *table, Text call_id, Text from_tag, uint64_t hash) noexcept nogil:
    cdef Entry *entry = table.buckets[hash & table.mask]
    while entry != NULL and not (entry.hash == hash and _is(entry.call_id, call_id) and _is(entry.from_tag, from_tag)):
        entry = entry.colliding
    return entry


cdef int _make_room(Table *table) except -1:
    cdef Py_ssize_t mask = 2 * table.mask + 1, at
    cdef Entry **buckets = <Entry **>PyMem_Calloc(mask + 1, sizeof(Entry *))
    cdef Entry *entry
    cdef Entry *following
    if buckets == NULL:
        raise MemoryError
    for at in range(table.mask + 1 if table.buckets != NULL else 0):
        entry = table.buckets[at]
        while entry != NULL:
            following = entry.colliding
            entry.colliding = buckets[entry.hash & mask]
            buckets[entry.hash & mask] = entry
            entry = following
    PyMem_Free(table.buckets)
    table.buckets, table.mask = buckets, mask
    return 0


cdef int _insert(Table *table, Entry *entry) except -1:
    if 2 * table.count > table.mask:
        _make_room(table)
    entry.colliding = table.buckets[entry.hash & table.mask]
    table.buckets[entry.hash & table.mask] = entry
    table.count += 1
    return 0


cdef void _take_out(Table *table, Entry *entry) noexcept nogil:
    cdef Entry **place = &table.buckets[entry.hash & table.mask]
    while place[0] != entry:
        place = &place[0].colliding
    place[0] = entry.colliding
    table.count -= 1


cdef inline Text _copy(char **room, Text text) noexcept nogil:
    cdef Text copied
    copied.data, copied.size = room[0], text.size
    memcpy(room[0], text.data, text.size)
    room[0] += text.size
    return copied


cdef Entry *_new_entry(Text call_id, Text from_tag, Text caller, Text callee) except NULL:
    cdef Py_ssize_t size = call_id.size + from_tag.size + caller.size + callee.size
    cdef Entry *entry = <Entry *>PyMem_Calloc(1, sizeof(Entry) + size)
    cdef char *room
    if entry == NULL:
        raise MemoryError
    room = <char *>entry + sizeof(Entry)
    entry.call_id, entry.from_tag = _copy(&room, call_id), _copy(&room, from_tag)
    entry.caller, entry.callee = _copy(&room, caller), _copy(&room, callee)
    entry.hash = _hash(call_id, from_tag)
    entry.queue = -1
    entry.ringing_at = entry.answered_at = entry.challenged_at = NEVER
    entry.challenged_by = CALLEE
    return entry


cdef int _set_to_tag(Entry *entry, Text to_tag) except -1:
    cdef char *room = <char *>PyMem_Malloc(to_tag.size + 1)
    if room == NULL:
        raise MemoryError
    PyMem_Free(<void *>entry.to_tag.data)
    entry.to_tag = _copy(&room, to_tag)
    return 0


cdef int _set_media(Entry *entry, Text engine, int64_t from_caller, int64_t from_callee) except -1:
    cdef Media *media = <Media *>PyMem_Malloc(sizeof(Media) + engine.size)
    cdef char *room
    if media == NULL:
        raise MemoryError
    room = <char *>media + sizeof(Media)
    media.from_caller, media.from_callee = from_caller, from_callee
    media.engine = _copy(&room, engine)
    PyMem_Free(entry.media)
    entry.media = media
    return 0


cdef void _drop_media(Entry *entry) noexcept:
    PyMem_Free(entry.media)
    entry.media = NULL


cdef void _become_plain(Entry *entry) noexcept:
    cdef PyObject *call = entry.call
    entry.call = NULL
    Py_XDECREF(call)


cdef void _lighten(Entry *entry) noexcept:
    """Free what only an open call needs."""
    PyMem_Free(<void *>entry.to_tag.data)
    entry.to_tag.data, entry.to_tag.size = NULL, 0
    _drop_media(entry)
    _become_plain(entry)


cdef void _free(Entry *entry) noexcept:
    _lighten(entry)
    PyMem_Free(entry)


cdef void _free_all(Entry *entry) noexcept:
    cdef Entry *following
    while entry != NULL:
        following = entry.links[IN_ORDER].following
        _free(entry)
        entry = following


cdef inline bint _is_challenged(Entry *entry) noexcept nogil:
    return entry.challenged_at != NEVER and entry.challenged_at >= entry.resumed_at


cdef inline double _waits_since(Entry *entry) noexcept nogil:
    """As `Call.waits_since`."""
    if entry.answered_at != NEVER:
        return max(entry.answered_at, entry.seen_at)
    if _is_challenged(entry) and entry.challenged_at != 0.0:
        return entry.challenged_at
    return entry.started_at


cdef inline void _see(Entry *entry, double at, int64_t session_s) noexcept nogil:
    if at >= entry.seen_at:
        entry.seen_at, entry.session_s = at, session_s
