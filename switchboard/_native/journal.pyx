# cython: boundscheck=False, wraparound=False, cdivision=True
"""Compiled twin of `switchboard.journal.table`: open calls in C, and their plain events folded from the packed frame.

A call is plain as long as nobody but its first callee has answered, no BYE was refused, and its texts are printable
ASCII that JSON need not escape. What is not becomes a `Call` (`Entry.call`), and `fold` leaves its events, as all
that are odd themselves, to `switchboard.journal.fold`, by `find` and `keep`. A call that is plain again is kept in C again.

An entry is in the hash table of open calls or in that of recorded ones, and in up to three lists: of all in their
order, of the calls that have changed since the last `take_changes`, and of those written, in the order of their rows;
open calls are in one of the queues of `waits.py` besides.
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.mem cimport PyMem_Calloc, PyMem_Free, PyMem_Malloc, PyMem_Realloc
from cpython.object cimport PyObject
from cpython.ref cimport Py_INCREF, Py_XDECREF
from cpython.unicode cimport PyUnicode_DecodeUTF8
from libc.math cimport rint
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from libc.string cimport memcmp, memcpy, strlen
from libc.time cimport time_t, tm

from switchboard import codec
from switchboard.journal.call import CHALLENGES, Call
from switchboard.journal.changes import MAX_RECORDED, Batch, Changes, Run, Telling
from switchboard.journal.events import _END_OF_TIME, MAX_TEXT
from switchboard.journal.record import by_wall_clock, ends_call, outcome_of
from switchboard.journal.record import Outcome, Party
from switchboard.journal.waits import GRACE_S, Waits

cdef extern from *:
    """
    #if PY_VERSION_HEX >= 0x030E0000
    #define keyed_hash Py_HashBuffer
    #else
    PyAPI_FUNC(Py_hash_t) _Py_HashBytes(const void *, Py_ssize_t);
    #define keyed_hash _Py_HashBytes
    #endif
    """
    Py_hash_t keyed_hash(const void *data, Py_ssize_t size)

cdef extern from "Python.h":
    const char *PyUnicode_AsUTF8AndSize(object text, Py_ssize_t *size) except NULL

cdef extern from "time.h":
    tm *gmtime_r(const time_t *second, tm *parts) nogil

cdef enum:
    IN_ORDER, CHANGED, WRITTEN, WAITING, LISTS  # the lists that an entry may be in
    UNANSWERED = 0, CHALLENGED, UP, PAST_US, SESSIONS, QUEUES = 20  # as in Waits.limits_s
    CALLER = 0, CALLEE, SWITCHBOARD, PARTIES
    LOWEST = 300, STATUSES = 400  # final responses that are no 2xx
    LONGEST = 2_000_000_000  # seconds of a session

cdef double NEVER = -1.0
cdef double EARLIEST = 1.0  # what is earlier is nobody's clock, and 0.0 is False in Python
cdef double LATEST = _END_OF_TIME
cdef Py_ssize_t TEXT = MAX_TEXT
cdef double GRACE = GRACE_S

cdef tuple _parties = (Party.CALLER, Party.CALLEE, Party.SWITCHBOARD)
cdef tuple _outcomes = tuple(Outcome)
cdef list _kept_texts = [text.value.encode() for text in (*_parties, *_outcomes)]
cdef const char *_party_texts[PARTIES]
cdef const char *_outcome_texts[20]
cdef uint8_t _outcome[STATUSES][PARTIES][2]
cdef bint _is_challenge[STATUSES]
cdef bint _ends_call[700]


cdef int _read_tables() except -1:
    """Take the rules of `call.py` and `record.py` over, rather than write them a second time."""
    cdef int status, by, rang
    for by in range(PARTIES):
        _party_texts[by] = PyBytes_AS_STRING(_kept_texts[by])
    for by in range(len(_outcomes)):
        _outcome_texts[by] = PyBytes_AS_STRING(_kept_texts[PARTIES + by])
    for status in range(200, 700):
        _ends_call[status] = ends_call(status)
    for status in range(STATUSES):
        _is_challenge[status] = LOWEST + status in CHALLENGES
        for by in range(PARTIES):
            for rang in range(2):
                _outcome[status][by][rang] = _outcomes.index(outcome_of(LOWEST + status, _parties[by], bool(rang)))
    return 0


_read_tables()
cdef const char *_ANSWERED = _outcome_texts[_outcomes.index(Outcome.ANSWERED)]


cdef struct Text:
    const char *data
    Py_ssize_t size


cdef struct Link:
    Entry *previous
    Entry *following


cdef struct Entry:
    Entry *colliding
    uint64_t hash
    Link links[LISTS]
    int64_t serial, row  # of the log that it was last written in, else 0
    int queue  # that it waits in, else -1
    bint has_changed
    PyObject *call  # owned; NULL while it is plain
    bint is_second  # under its key there is, or was, a recorded call
    double due_at, ended_at
    double started_at, ringing_at, answered_at, resumed_at, challenged_at, seen_at
    int64_t session_s
    int status, challenged_by
    bint is_past_us
    Text call_id, from_tag, caller, callee, to_tag  # all but the last behind the entry


cdef struct List:
    Entry *first
    Entry *last


cdef struct Table:
    Entry **buckets
    Py_ssize_t mask, count


cdef struct Buffer:
    char *data
    Py_ssize_t size, room, count  # octets, and entries


cdef struct Cursor:
    const uint8_t *at
    const uint8_t *end


cdef struct Event:
    Text kind, call_id, from_tag, one, two
    int64_t number, status, session_s
    double at
    bint flag
    int details  # how many


# Lists

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


# Hash tables

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


# Entries

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


cdef void _become_plain(Entry *entry) noexcept:
    cdef PyObject *call = entry.call
    entry.call = NULL
    Py_XDECREF(call)


cdef void _lighten(Entry *entry) noexcept:
    """Let go of what only an open call needs."""
    PyMem_Free(<void *>entry.to_tag.data)
    entry.to_tag.data, entry.to_tag.size = NULL, 0
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


# What is written: JSON lines, and the codec's packed values

cdef int _reserve(Buffer *buffer, Py_ssize_t more) except -1:
    cdef Py_ssize_t room = 2 * (buffer.size + more) + 4096
    cdef char *data
    if buffer.size + more > buffer.room:
        data = <char *>PyMem_Realloc(buffer.data, room)
        if data == NULL:
            raise MemoryError
        buffer.data, buffer.room = data, room
    return 0


cdef inline void _put(Buffer *buffer, const char *data, Py_ssize_t size) noexcept nogil:
    memcpy(buffer.data + buffer.size, data, size)
    buffer.size += size


cdef inline void _put_literal(Buffer *buffer, const char *text) noexcept nogil:
    _put(buffer, text, strlen(text))


cdef inline void _put_digits(Buffer *buffer, int64_t number, int digits) noexcept nogil:
    cdef int at
    for at in range(digits - 1, -1, -1):
        buffer.data[buffer.size + at] = 48 + number % 10
        number //= 10
    buffer.size += digits


cdef inline int64_t _milliseconds(double at) noexcept nogil:
    return <int64_t>rint(at * 1000)


cdef void _put_timestamp(Buffer *buffer, double at, double correction_s) noexcept nogil:
    """As `record.shown`."""
    cdef int64_t millisecond = max(<int64_t>0, _milliseconds(at) + _milliseconds(correction_s))
    cdef time_t second = millisecond // 1000
    cdef tm parts
    gmtime_r(&second, &parts)
    _put_digits(buffer, parts.tm_year + 1900, 4)
    _put(buffer, "-", 1)
    _put_digits(buffer, parts.tm_mon + 1, 2)
    _put(buffer, "-", 1)
    _put_digits(buffer, parts.tm_mday, 2)
    _put(buffer, "T", 1)
    _put_digits(buffer, parts.tm_hour, 2)
    _put(buffer, ":", 1)
    _put_digits(buffer, parts.tm_min, 2)
    _put(buffer, ":", 1)
    _put_digits(buffer, parts.tm_sec, 2)
    _put(buffer, ".", 1)
    _put_digits(buffer, millisecond % 1000, 3)
    _put(buffer, "Z", 1)


cdef void _put_instant(Buffer *buffer, double at, double correction_s) noexcept nogil:
    if at == NEVER:
        _put(buffer, "null", 4)
        return
    _put(buffer, '"', 1)
    _put_timestamp(buffer, at, correction_s)
    _put(buffer, '"', 1)


cdef void _put_duration(Buffer *buffer, int64_t millisecond) noexcept nogil:
    """Seconds, as Python shows a float: no zeros at the end but one behind the point."""
    cdef int64_t second = millisecond // 1000, rest = second
    cdef int digits = 1
    while rest >= 10:
        rest //= 10
        digits += 1
    _put_digits(buffer, second, digits)
    _put(buffer, ".", 1)
    _put_digits(buffer, millisecond % 1000, 3)
    while buffer.data[buffer.size - 1] == 48 and buffer.data[buffer.size - 2] != 46:
        buffer.size -= 1


cdef int _put_line(
    Buffer *buffer, Entry *entry, const char *outcome, int status, int by, double correction_s
) except -1:
    """As `CallDetailRecord.to_line`."""
    cdef int64_t duration = 0
    _reserve(buffer, 1024 + entry.call_id.size + entry.caller.size + entry.callee.size)
    _put_literal(buffer, '{"call_id": "')
    _put(buffer, entry.call_id.data, entry.call_id.size)
    _put_literal(buffer, '", "caller": "')
    _put(buffer, entry.caller.data, entry.caller.size)
    _put_literal(buffer, '", "callee": "')
    _put(buffer, entry.callee.data, entry.callee.size)
    _put_literal(buffer, '", "started_at": ')
    _put_instant(buffer, entry.started_at, correction_s)
    _put_literal(buffer, ', "ringing_at": ')
    _put_instant(buffer, entry.ringing_at, correction_s)
    _put_literal(buffer, ', "answered_at": ')
    _put_instant(buffer, entry.answered_at, correction_s)
    _put_literal(buffer, ', "ended_at": ')
    _put_instant(buffer, entry.ended_at, correction_s)
    _put_literal(buffer, ', "duration_s": ')
    if entry.answered_at != NEVER:
        duration = _milliseconds(entry.ended_at) - _milliseconds(entry.answered_at)
    _put_duration(buffer, max(0, duration))
    _put_literal(buffer, ', "outcome": "')
    _put_literal(buffer, outcome)
    _put_literal(buffer, '", "status": ')
    _put_digits(buffer, status, 3)
    _put_literal(buffer, ', "ended_by": "')
    _put_literal(buffer, _party_texts[by])
    _put_literal(buffer, '"}\n')
    buffer.count += 1
    return 0


cdef inline void _pack_octet(Buffer *buffer, uint8_t octet) noexcept nogil:
    buffer.data[buffer.size] = <char>octet
    buffer.size += 1


cdef inline void _pack_number(Buffer *buffer, uint8_t first, uint64_t number, int octets) noexcept nogil:
    cdef int at
    _pack_octet(buffer, first)
    for at in range(octets - 1, -1, -1):
        _pack_octet(buffer, <uint8_t>(number >> 8 * at))


cdef inline void _pack_integer(Buffer *buffer, uint64_t number) noexcept nogil:
    if number < 0x80:
        _pack_octet(buffer, <uint8_t>number)
    elif number < 0x100:
        _pack_number(buffer, 0xcc, number, 1)
    elif number < 0x10000:
        _pack_number(buffer, 0xcd, number, 2)
    elif number < <uint64_t>1 << 32:
        _pack_number(buffer, 0xce, number, 4)
    else:
        _pack_number(buffer, 0xcf, number, 8)


cdef inline void _pack_text(Buffer *buffer, Text text) noexcept nogil:
    if text.size < 32:
        _pack_octet(buffer, <uint8_t>(0xa0 | text.size))
    elif text.size < 0x100:
        _pack_number(buffer, 0xd9, text.size, 1)
    else:
        _pack_number(buffer, 0xda, text.size, 2)
    _put(buffer, text.data, text.size)


cdef inline void _pack_instant(Buffer *buffer, double at) noexcept nogil:
    cdef uint64_t pattern
    if at == NEVER:
        _pack_octet(buffer, 0xc0)
        return
    memcpy(&pattern, &at, 8)
    _pack_number(buffer, 0xcb, pattern, 8)


cdef int _pack_end(Buffer *buffer, Text call_id, Text from_tag, double ended_at) except -1:
    _reserve(buffer, 32 + call_id.size + from_tag.size)
    _pack_octet(buffer, 0x93)
    _pack_text(buffer, call_id)
    _pack_text(buffer, from_tag)
    _pack_instant(buffer, ended_at)
    buffer.count += 1
    return 0


cdef int _pack_call(Buffer *buffer, Entry *entry) except -1:
    """As the codec packs what `Call.save` says."""
    cdef bytes packed
    cdef Text by
    if entry.call != NULL:
        packed = codec.pack((<object>entry.call).save())
        _reserve(buffer, PyBytes_GET_SIZE(packed))
        _put(buffer, PyBytes_AS_STRING(packed), PyBytes_GET_SIZE(packed))
    else:
        _reserve(buffer, 256 + 5 * TEXT)
        _pack_number(buffer, 0xdc, 17, 2)
        _pack_integer(buffer, entry.serial)
        _pack_text(buffer, entry.call_id)
        _pack_text(buffer, entry.from_tag)
        _pack_text(buffer, entry.caller)
        _pack_text(buffer, entry.callee)
        _pack_instant(buffer, entry.started_at)
        _pack_instant(buffer, entry.ringing_at)
        _pack_instant(buffer, entry.answered_at)
        _pack_instant(buffer, entry.resumed_at)
        _pack_instant(buffer, entry.challenged_at)
        _pack_integer(buffer, entry.status)
        by.data = _party_texts[entry.challenged_by]
        by.size = strlen(by.data)
        _pack_text(buffer, by)
        _pack_octet(buffer, 0x91 if entry.answered_at != NEVER else 0x90)
        if entry.answered_at != NEVER:
            _pack_text(buffer, entry.to_tag)
        _pack_octet(buffer, 0x80)
        _pack_instant(buffer, entry.seen_at)
        _pack_integer(buffer, entry.session_s)
        _pack_octet(buffer, 0xc3 if entry.is_past_us else 0xc2)
    buffer.count += 1
    return 0


cdef object _take_batch(Buffer *buffer):
    batch = Batch(PyBytes_FromStringAndSize(buffer.data, buffer.size), buffer.count)
    buffer.size = buffer.count = 0
    return batch


# What is read

cdef inline int64_t _number(Cursor *cursor, int octets) noexcept nogil:
    """A big-endian number; -1 if the frame ends before, or if it is larger than ours."""
    cdef uint64_t number = 0
    cdef int at
    if cursor.end - cursor.at < octets:
        return -1
    for at in range(octets):
        number = number << 8 | cursor.at[at]
    cursor.at += octets
    return <int64_t>number if number < <uint64_t>1 << 62 else -1


cdef inline int64_t _integer(Cursor *cursor) noexcept nogil:
    """A whole number from 0 on; -1 if there is none."""
    cdef int64_t octet = _number(cursor, 1)
    if octet < 0x80:
        return octet
    if 0xcc <= octet <= 0xcf:
        return _number(cursor, 1 << (octet - 0xcc))
    return -1


cdef inline int64_t _array(Cursor *cursor) noexcept nogil:
    """The length of a list; -1 if there is none."""
    cdef int64_t octet = _number(cursor, 1)
    if 0x90 <= octet <= 0x9f:
        return octet - 0x90
    if octet == 0xdc or octet == 0xdd:
        return _number(cursor, 2 << (octet - 0xdc))
    return -1


cdef inline bint _text(Cursor *cursor, Text *text) noexcept nogil:
    cdef int64_t octet = _number(cursor, 1)
    if 0xa0 <= octet <= 0xbf:
        text.size = octet - 0xa0
    elif 0xd9 <= octet <= 0xdb:
        text.size = _number(cursor, 1 << (octet - 0xd9))
    else:
        return False
    text.data = <const char *>cursor.at
    if text.size < 0 or cursor.end - cursor.at < text.size:
        return False
    cursor.at += text.size
    return True


cdef bint _skip_scalar(Cursor *cursor) noexcept nogil:
    """Go past a value that is neither list nor map; false if there is none."""
    cdef Text text
    cdef int64_t octet
    if cursor.at == cursor.end:
        return False
    octet = cursor.at[0]
    if 0xa0 <= octet <= 0xbf or 0xd9 <= octet <= 0xdb:
        return _text(cursor, &text)
    cursor.at += 1
    if octet < 0x80 or octet >= 0xe0 or octet == 0xc0 or octet == 0xc2 or octet == 0xc3:
        return True
    if octet == 0xca or octet == 0xcb:
        octet = 4 << (octet - 0xca)
    elif 0xcc <= octet <= 0xcf:
        octet = 1 << (octet - 0xcc)
    elif 0xd0 <= octet <= 0xd3:
        octet = 1 << (octet - 0xd0)
    else:
        return False
    if cursor.end - cursor.at < octet:
        return False
    cursor.at += octet
    return True


cdef bint _skip_item(Cursor *cursor) noexcept nogil:
    """Go past an item of a frame; false if it is none of scalars, or of a list of these."""
    cdef int64_t left = 1
    if cursor.at < cursor.end and (0x90 <= cursor.at[0] <= 0x9f or cursor.at[0] == 0xdc):
        left = _array(cursor)
    while left > 0:
        if not _skip_scalar(cursor):
            return False
        left -= 1
    return left == 0


cdef inline bint _is_plain(Text text) noexcept nogil:
    """Whether records bear the text as it is."""
    cdef Py_ssize_t at
    if text.size > TEXT:
        return False
    for at in range(text.size):
        if not 0x20 <= text.data[at] < 0x7f or text.data[at] == c'"' or text.data[at] == c'\\':
            return False
    return True


cdef inline bint _says(Text text, const char *word) noexcept nogil:
    return text.size == <Py_ssize_t>strlen(word) and memcmp(text.data, word, text.size) == 0


cdef inline bint _instant(Cursor *cursor, double *at) noexcept nogil:
    cdef uint64_t pattern = 0
    cdef int octet
    if cursor.end - cursor.at < 9 or cursor.at[0] != 0xcb:
        return False
    for octet in range(1, 9):
        pattern = pattern << 8 | cursor.at[octet]
    memcpy(at, &pattern, 8)
    cursor.at += 9
    return EARLIEST <= at[0] < LATEST


cdef inline bint _flag(Cursor *cursor, bint *flag) noexcept nogil:
    cdef int64_t octet = _number(cursor, 1)
    flag[0] = octet == 0xc3
    return octet == 0xc2 or octet == 0xc3


cdef bint _read_event(Cursor *cursor, Event *event) noexcept nogil:
    """Read an item as far as all kinds are alike; false if it is no plain event."""
    event.details = <int>_array(cursor) - 5
    event.number = _integer(cursor)
    return (
        event.details >= 0
        and event.number >= 0
        and _text(cursor, &event.kind)
        and _text(cursor, &event.call_id)
        and _text(cursor, &event.from_tag)
        and _instant(cursor, &event.at)
        and _is_plain(event.call_id)
        and _is_plain(event.from_tag)
    )


cdef inline int _party(Text text) noexcept nogil:
    cdef int by
    for by in range(PARTIES):
        if _says(text, _party_texts[by]):
            return by
    return -1


# Between Python and C

cdef Text _view(str text) except *:
    """The octets of a text; they are as long there as it is."""
    cdef Text view
    view.data = PyUnicode_AsUTF8AndSize(text, &view.size)
    return view


cdef inline str _str(Text text):
    return PyUnicode_DecodeUTF8(text.data, text.size, NULL)


cdef inline double _at(object at):
    return NEVER if at is None else at


cdef inline object _at_or_none(double at):
    return None if at == NEVER else at


cdef object _call_of(Entry *entry):
    """The call of an entry, as Python knows it."""
    if entry.call != NULL:
        return <object>entry.call
    return Call(
        _str(entry.call_id),
        _str(entry.from_tag),
        _str(entry.caller),
        _str(entry.callee),
        entry.started_at,
        _at_or_none(entry.ringing_at),
        _at_or_none(entry.answered_at),
        entry.resumed_at,
        _at_or_none(entry.challenged_at),
        entry.status,
        _parties[entry.challenged_by],
        [_str(entry.to_tag)] if entry.answered_at != NEVER else [],
        seen_at=entry.seen_at,
        session_s=entry.session_s,
        is_past_us=bool(entry.is_past_us),
        serial=entry.serial,
    )


cdef int _copy_call(Entry *entry, object call) except -1:
    """Bring an entry up to date; it holds the call itself unless that is plain."""
    cdef list answered = call.answered
    cdef bint is_plain
    cdef object session_s = call.session_s
    entry.started_at, entry.ringing_at = call.started_at, _at(call.ringing_at)
    entry.answered_at, entry.resumed_at = _at(call.answered_at), call.resumed_at
    entry.challenged_at, entry.seen_at = _at(call.challenged_at), call.seen_at
    entry.status, entry.challenged_by = call.status, _parties.index(call.challenged_by)
    entry.session_s, entry.is_past_us = min(session_s, LONGEST), call.is_past_us
    is_plain = (
        len(answered) == (entry.answered_at != NEVER)
        and not call.hung_up
        and session_s < LONGEST
        and (_is_plain(entry.call_id) and _is_plain(entry.from_tag))
        and (_is_plain(entry.caller) and _is_plain(entry.callee))
        and entry.started_at >= EARLIEST
        and (entry.answered_at == NEVER or entry.answered_at >= EARLIEST)
        and (entry.challenged_at == NEVER or entry.challenged_at >= EARLIEST)
    )
    if is_plain and answered:
        is_plain = _is_plain(_view(answered[0]))
    if not is_plain:
        _hold(entry, call)
        return 0
    if answered:
        _set_to_tag(entry, _view(answered[0]))
    _become_plain(entry)
    return 0


cdef void _hold(Entry *entry, object call) noexcept:
    cdef PyObject *held = entry.call
    Py_INCREF(call)
    entry.call = <PyObject *>call
    Py_XDECREF(held)


cdef class CallTable:
    """The same as `CallTableInPython`; see there."""

    cdef public double correction_s, slow_s
    cdef Table _open, _ended
    cdef List _in_order, _changed, _written, _ends
    cdef List _queues[QUEUES]
    cdef double _limits_s[QUEUES]
    cdef int _queue_count
    cdef Py_ssize_t _max_recorded, _untold
    cdef int64_t _last_serial
    cdef Buffer _lines, _closed, _ended_batch

    def __cinit__(self, double max_call_s, Py_ssize_t max_recorded=MAX_RECORDED):
        self._max_recorded = max_recorded
        for limit_s in Waits(max_call_s).limits_s:
            self._limits_s[self._queue_count] = limit_s
            self._queue_count += 1
        _make_room(&self._open)
        _make_room(&self._ended)
        _reserve(&self._lines, 1)
        _reserve(&self._closed, 1)
        _reserve(&self._ended_batch, 1)

    def __dealloc__(self):
        _free_all(self._in_order.first)
        _free_all(self._ends.first)
        PyMem_Free(self._open.buckets)
        PyMem_Free(self._ended.buckets)
        PyMem_Free(self._lines.data)
        PyMem_Free(self._closed.data)
        PyMem_Free(self._ended_batch.data)

    def __len__(self):
        return self._open.count

    @property
    def recorded(self):
        return self._ended.count

    def restore(self, saved, ended, double now_at):
        cdef Entry *entry
        rows = {call.serial: row for row, call in saved}
        for (call_id, from_tag), ended_at in ended.items():
            self._remember(call_id, from_tag, ended_at)
        calls = sorted((call for _, call in saved), key=lambda call: call.serial)
        for call in calls:
            self._add(call)
            self._last_serial = call.serial
        for row, call in saved:
            self._write(self._entry_of(call), row)
        for call in sorted(calls, key=lambda call: call.waits_since):
            self._wait(self._entry_of(call), now_at)

    def find(self, tuple key):
        cdef Entry *entry = self._find(key)
        return None if entry == NULL else _call_of(entry)

    def oldest(self):
        if self._in_order.first == NULL:
            raise LookupError("no call is open")
        return _call_of(self._in_order.first)

    def calls(self):
        cdef Entry *entry = self._in_order.first
        calls = []
        while entry != NULL:
            calls.append(_call_of(entry))
            entry = entry.links[IN_ORDER].following
        return calls

    def keep(self, call, double now_at):
        cdef Entry *entry
        if call.serial:
            entry = self._entry_of(call)
            _copy_call(entry, call)
        else:
            self._last_serial += 1
            call.serial = self._last_serial
            entry = self._add(call)
        self._touch(entry, now_at)

    def end(self, call, record):
        cdef Entry *entry = self._entry_of(call)
        cdef bytes line = by_wall_clock(record, self.correction_s).to_line()
        _reserve(&self._lines, PyBytes_GET_SIZE(line))
        _put(&self._lines, PyBytes_AS_STRING(line), PyBytes_GET_SIZE(line))
        self._lines.count += 1
        entry.ended_at = call.ended_at or 0.0
        self._end(entry)

    def close(self, call):
        cdef Entry *entry = self._entry_of(call)
        self._close(entry)
        _free(entry)

    def due(self, double now_at):
        cdef int queue
        cdef Entry *entry
        calls = []
        for queue in range(self._queue_count):
            entry = self._queues[queue].first
            while entry != NULL and entry.due_at <= now_at:
                calls.append(_call_of(entry))
                self._wait_no_longer(entry)
                entry = self._queues[queue].first
        return calls

    def next_deadline_at(self):
        cdef int queue
        cdef Entry *entry
        cdef double first = NEVER
        for queue in range(self._queue_count):
            entry = self._queues[queue].first
            if entry != NULL and (first == NEVER or entry.due_at < first):
                first = entry.due_at
        return _at_or_none(first)

    def ended_at(self, tuple key):
        cdef Entry *entry = self._find_end(key)
        return None if entry == NULL else entry.ended_at

    def add_end(self, tuple key, double ended_at):
        self._remember(key[0], key[1], ended_at)
        _pack_end(&self._ended_batch, _view(key[0]), _view(key[1]), ended_at)
        self._forget_oldest()

    def forget_end(self, tuple key):
        cdef Entry *entry = self._find_end(key)
        if entry == NULL:
            raise KeyError(key)
        _pack_end(&self._ended_batch, entry.call_id, entry.from_tag, NEVER)
        self._forget(entry)

    def take_changes(self, int64_t row, int64_t worn):
        cdef Entry *entry = self._changed.first
        while entry != NULL:
            _remove(&self._changed, entry, CHANGED)
            entry.has_changed = False
            self._pack(entry, row)
            entry = self._changed.first
        entry = self._written.first
        while entry != NULL and entry.row <= worn:
            self._pack(entry, row)
            entry = self._written.first
        return Changes(_take_batch(&self._lines), _take_batch(&self._closed), _take_batch(&self._ended_batch))

    def read_head(self, bytes frame, Py_ssize_t start):
        cdef Cursor cursor
        cdef Text incarnation
        cdef int64_t instance, count, left
        cdef const uint8_t *data = <const uint8_t *>PyBytes_AS_STRING(frame)
        cursor.at, cursor.end = data + start, data + PyBytes_GET_SIZE(frame)
        if _array(&cursor) != 3:
            return None
        instance = _integer(&cursor)
        if instance < 0 or not _text(&cursor, &incarnation) or not _is_plain(incarnation):
            return None
        left = count = _array(&cursor)
        start = cursor.at - data
        while left > 0 and _skip_item(&cursor):
            left -= 1
        if left != 0 or cursor.at != cursor.end:
            return None
        return Telling(instance, _str(incarnation), count, start)

    def fold(self, bytes frame, Py_ssize_t start, Py_ssize_t count, int64_t number, double now_at):
        cdef const uint8_t *data = <const uint8_t *>PyBytes_AS_STRING(frame)
        cdef Py_ssize_t taken = 0
        cdef Cursor cursor
        cdef Event event
        cursor.at, cursor.end = data + start, data + PyBytes_GET_SIZE(frame)
        while taken < count and _read_event(&cursor, &event) and event.number == number + taken:
            event.at += self.slow_s
            if not self._fold(&cursor, &event, now_at):
                break
            taken += 1
            start = cursor.at - data
        cursor.at = data + start
        if taken < count:
            _skip_item(&cursor)
        return Run(taken, start, cursor.at - data)

    cdef bint _fold(self, Cursor *cursor, Event *event, double now_at) except -1:
        """Take an event; false if it, or its call, is not plain: then nothing has happened."""
        if _says(event.kind, "invite"):
            return self._invite(cursor, event, now_at)
        if _says(event.kind, "ringing"):
            return self._ringing(event, now_at)
        if _says(event.kind, "answered"):
            return self._answered(cursor, event, now_at)
        if _says(event.kind, "bye"):
            return self._bye(cursor, event)
        if _says(event.kind, "failed"):
            return self._failed(cursor, event, now_at)
        return False

    cdef bint _invite(self, Cursor *cursor, Event *event, double now_at) except -1:
        cdef uint64_t hash
        cdef Entry *entry
        if event.details != 2 or not (_text(cursor, &event.one) and _text(cursor, &event.two)):
            return False
        if not (_is_plain(event.one) and _is_plain(event.two)):
            return False
        hash = _hash(event.call_id, event.from_tag)
        entry = _look_up(&self._open, event.call_id, event.from_tag, hash)
        if entry == NULL:
            if _look_up(&self._ended, event.call_id, event.from_tag, hash) != NULL or self._has_line(event):
                return False
            entry = _new_entry(event.call_id, event.from_tag, event.one, event.two)
            self._last_serial += 1
            entry.serial = self._last_serial
            entry.started_at = event.at
            self._add_entry(entry)
        elif entry.call != NULL or entry.answered_at != NEVER:
            return False
        entry.resumed_at = max(entry.resumed_at, event.at)
        self._touch(entry, now_at)
        return True

    cdef bint _has_line(self, Event *event) noexcept:
        """Whether the line of a call with that start was found on disk, and its INVITE has not come back yet."""
        cdef char text[32]
        cdef Buffer buffer
        cdef Text start
        if self._untold == 0:
            return False
        buffer.data, buffer.size = text, 0
        _put_timestamp(&buffer, event.at, self.correction_s)
        start.data, start.size = text, buffer.size
        return _look_up(&self._ended, event.call_id, start, _hash(event.call_id, start)) != NULL

    cdef Entry *_plain_call(self, Text call_id, Text from_tag) noexcept:
        cdef Entry *entry = _look_up(&self._open, call_id, from_tag, _hash(call_id, from_tag))
        return NULL if entry == NULL or entry.call != NULL or entry.is_second else entry

    cdef bint _ringing(self, Event *event, double now_at) except -1:
        cdef Entry *entry = self._plain_call(event.call_id, event.from_tag)
        if event.details or entry == NULL:
            return False
        entry.resumed_at = max(entry.resumed_at, event.at)
        if entry.ringing_at == NEVER and entry.answered_at == NEVER:
            entry.ringing_at = event.at
        self._touch(entry, now_at)
        return True

    cdef bint _answered(self, Cursor *cursor, Event *event, double now_at) except -1:
        cdef Entry *entry = self._plain_call(event.call_id, event.from_tag)
        if event.details != 4 or entry == NULL or entry.answered_at != NEVER:
            return False
        if not (_text(cursor, &event.one) and _is_plain(event.one)):
            return False
        event.status, event.session_s = _integer(cursor), _integer(cursor)
        if not (_flag(cursor, &event.flag) and 200 <= event.status < 300 and 0 <= event.session_s < LONGEST):
            return False
        _set_to_tag(entry, event.one)
        entry.answered_at, entry.status, entry.is_past_us = event.at, event.status, not event.flag
        _see(entry, event.at, event.session_s)
        self._touch(entry, now_at)
        return True

    cdef bint _failed(self, Cursor *cursor, Event *event, double now_at) except -1:
        cdef Entry *entry = self._plain_call(event.call_id, event.from_tag)
        cdef int by, status
        if event.details != 2 or entry == NULL or entry.answered_at != NEVER:
            return False
        event.status = _integer(cursor)
        by = _party(event.one) if _text(cursor, &event.one) else -1
        if by < 0 or not LOWEST <= event.status < LOWEST + STATUSES:
            return False
        status = event.status - LOWEST
        if _is_challenge[status]:
            if entry.challenged_at == NEVER or event.at > entry.challenged_at:
                entry.challenged_at, entry.status, entry.challenged_by = event.at, event.status, by
            self._touch(entry, now_at)
            return True
        entry.ended_at = max(event.at, entry.started_at)
        by = self._record(entry, _outcome_texts[_outcome[status][by][entry.ringing_at != NEVER]], event.status, by)
        return True

    cdef bint _bye(self, Cursor *cursor, Event *event) except -1:
        cdef Entry *entry
        cdef int by = CALLER
        if event.details != 3 or not (_text(cursor, &event.one) and _text(cursor, &event.two)):
            return False
        event.status = _integer(cursor)
        if not (_is_plain(event.two) and 200 <= event.status < 700 and _ends_call[event.status]):
            return False
        entry = self._plain_call(event.call_id, event.from_tag)
        if entry == NULL:
            if _look_up(&self._open, event.call_id, event.from_tag, _hash(event.call_id, event.from_tag)) != NULL:
                return False
            entry = self._plain_call(event.call_id, event.two)
            event.two, by = event.from_tag, CALLEE
        if entry == NULL or entry.answered_at == NEVER or not _is(entry.to_tag, event.two):
            return False
        entry.ended_at = max(event.at, entry.answered_at)
        self._record(entry, _ANSWERED, entry.status, by)
        return True

    cdef int _record(self, Entry *entry, const char *outcome, int status, int by) except -1:
        _put_line(&self._lines, entry, outcome, status, by, self.correction_s)
        self._end(entry)
        return 0

    cdef int _end(self, Entry *entry) except -1:
        """Move an open call to the recorded ones. (Its line is written.)"""
        self._close(entry)
        if entry.is_second:
            self._forget_same(entry)
        _lighten(entry)
        self._add_end(entry)
        _pack_end(&self._ended_batch, entry.call_id, entry.from_tag, entry.ended_at)
        self._forget_oldest()
        return 0

    cdef int _close(self, Entry *entry) except -1:
        """Take a call out of all that has to do with open ones."""
        _take_out(&self._open, entry)
        _remove(&self._in_order, entry, IN_ORDER)
        self._wait_no_longer(entry)
        if entry.has_changed:
            _remove(&self._changed, entry, CHANGED)
            entry.has_changed = False
        if entry.row:
            _remove(&self._written, entry, WRITTEN)
            entry.row = 0
            _reserve(&self._closed, 16)
            _pack_integer(&self._closed, entry.serial)
            self._closed.count += 1
        return 0

    cdef int _touch(self, Entry *entry, double now_at) except -1:
        if not entry.has_changed:
            entry.has_changed = True
            _append(&self._changed, entry, CHANGED)
        self._wait(entry, now_at)
        return 0

    cdef int _queue_of(self, Entry *entry) noexcept nogil:
        """As `Waits` chooses it."""
        cdef int queue
        if entry.answered_at == NEVER:
            return CHALLENGED if _is_challenged(entry) else UNANSWERED
        if entry.session_s:
            for queue in range(SESSIONS, self._queue_count):
                if self._limits_s[queue] >= entry.session_s + GRACE:
                    return queue
            return UP
        return PAST_US if entry.is_past_us else UP

    cdef void _wait(self, Entry *entry, double now_at) noexcept nogil:
        """As `Waits.set`."""
        cdef int queue = self._queue_of(entry)
        cdef double due_at = _waits_since(entry) + self._limits_s[queue]
        if entry.queue != queue or due_at > entry.due_at:
            self._wait_no_longer(entry)
            entry.queue, entry.due_at = queue, max(due_at, now_at + GRACE)
            _append(&self._queues[queue], entry, WAITING)

    cdef void _wait_no_longer(self, Entry *entry) noexcept nogil:
        if entry.queue >= 0:
            _remove(&self._queues[entry.queue], entry, WAITING)
            entry.queue = -1

    cdef int _pack(self, Entry *entry, int64_t row) except -1:
        _pack_call(&self._closed, entry)
        self._write(entry, row)
        return 0

    cdef void _write(self, Entry *entry, int64_t row) noexcept nogil:
        if entry.row:
            _remove(&self._written, entry, WRITTEN)
        entry.row = row
        _append(&self._written, entry, WRITTEN)

    cdef Entry *_find(self, tuple key) except? NULL:
        cdef Text call_id = _view(key[0]), from_tag = _view(key[1])
        return _look_up(&self._open, call_id, from_tag, _hash(call_id, from_tag))

    cdef Entry *_find_end(self, tuple key) except? NULL:
        cdef Text call_id = _view(key[0]), from_tag = _view(key[1])
        return _look_up(&self._ended, call_id, from_tag, _hash(call_id, from_tag))

    cdef Entry *_entry_of(self, object call) except NULL:
        cdef Entry *entry = self._find((call.call_id, call.from_tag))
        if entry == NULL:
            raise LookupError("the call is not open")
        return entry

    cdef Entry *_add(self, object call) except NULL:
        """Add what Python began, or has restored."""
        cdef Entry *entry = _new_entry(
            _view(call.call_id), _view(call.from_tag), _view(call.caller), _view(call.callee)
        )
        entry.serial = call.serial
        self._add_entry(entry)
        _copy_call(entry, call)
        return entry

    cdef int _add_entry(self, Entry *entry) except -1:
        entry.is_second = _look_up(&self._ended, entry.call_id, entry.from_tag, entry.hash) != NULL
        _insert(&self._open, entry)
        _append(&self._in_order, entry, IN_ORDER)
        return 0

    cdef int _remember(self, str call_id, str from_tag, double ended_at) except -1:
        cdef Text nothing
        cdef Entry *entry
        cdef Entry *second
        nothing.data, nothing.size = "", 0
        entry = _new_entry(_view(call_id), _view(from_tag), nothing, nothing)
        entry.ended_at = ended_at
        second = _look_up(&self._open, entry.call_id, entry.from_tag, entry.hash)
        if second != NULL:
            second.is_second = True
        self._forget_same(entry)
        self._add_end(entry)
        return 0

    cdef int _add_end(self, Entry *entry) except -1:
        _insert(&self._ended, entry)
        _append(&self._ends, entry, IN_ORDER)
        self._untold += self._is_of_a_line(entry)
        return 0

    cdef void _forget_same(self, Entry *entry) noexcept:
        cdef Entry *same = _look_up(&self._ended, entry.call_id, entry.from_tag, entry.hash)
        if same != NULL:
            self._forget(same)

    cdef void _forget_oldest(self) noexcept:
        if self._ended.count > self._max_recorded:
            self._forget(self._ends.first)

    cdef void _forget(self, Entry *entry) noexcept:
        _take_out(&self._ended, entry)
        _remove(&self._ends, entry, IN_ORDER)
        self._untold -= self._is_of_a_line(entry)
        _free(entry)

    cdef bint _is_of_a_line(self, Entry *entry) noexcept nogil:
        """Whether it may be known by its start instead of its tag, since no tag has a colon (`Recorded`)."""
        cdef Py_ssize_t at
        for at in range(entry.from_tag.size):
            if entry.from_tag.data[at] == c':':
                return True
        return False
