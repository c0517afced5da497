# cython: boundscheck=False, wraparound=False, cdivision=True
"""Compiled twin of `switchboard.journal.table`: keeps open calls in C, and folds plain events from the packed frame.

Theory. A call is a small state machine that a few events drive (`journal/fold.py`). Nearly all calls are *plain*: only
their first callee has answered, no BYE was refused, a media engine that relayed them has told of it, and their texts are printable ASCII that JSON need not escape. For
a plain call the state is one C struct, an event changes a few of its fields, and the record is written from it without
a Python object. A call that is not plain is kept as a `Call` (`Entry.call`). `fold` returns at the first event that is
not plain or concerns such a call; `switchboard.journal.fold` takes that event, by `find` and `keep`. A call that
becomes plain again is kept in C again.

Each entry is in exactly one hash table: that of the open calls or that of the recorded ones. In addition it is in up to
three lists: all entries in their order, the calls that have changed since the last `take_changes`, and the written
calls in the order of their rows. An open call is also in one of the queues of `waits.py`. All lists are intrusive, so
each insertion and removal takes constant time.

| part | owns |
|---|---|
| `journal_rules.pxi` | the outcomes of final responses, copied from the Python rules |
| `journal_entries.pxi` | entries, their lists and hash tables |
| `journal_lines.pxi` | the buffer, and the records as JSON lines |
| `journal_packing.pxi` | calls and ends in the codec's packed form |
| `journal_reading.pxi` | packed events as structs |
| `journal_calls.pxi` | the conversion between an entry and a Python `Call` |
| `journal_folding.pxi` | what each event does to its call |
| `journal_keeping.pxi` | which tables, lists and queues contain an entry |
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
from switchboard.journal.events import _END_OF_TIME, _MOST_PACKETS, MAX_TEXT
from switchboard.journal.record import by_wall_clock, ends_call, outcome_of
from switchboard.journal.record import Outcome, Party, Relayed
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
    IN_ORDER, CHANGED, WRITTEN, WAITING, LISTS  # the lists that can contain an entry
    UNANSWERED = 0, CHALLENGED, UP, PAST_US, SESSIONS, QUEUES = 20  # as in Waits.limits_s
    CALLER = 0, CALLEE, SWITCHBOARD, PARTIES
    LOWEST = 300, STATUSES = 400  # final responses other than 2xx
    LONGEST = 2_000_000_000  # of a session, in seconds

cdef double NEVER = -1.0
cdef double EARLIEST = 1.0  # an earlier instant is an error; 0.0 is False in Python
cdef double LATEST = _END_OF_TIME
cdef Py_ssize_t TEXT = MAX_TEXT
cdef int64_t MOST_PACKETS = _MOST_PACKETS
cdef double GRACE = GRACE_S

include "journal_rules.pxi"
include "journal_entries.pxi"
include "journal_lines.pxi"
include "journal_packing.pxi"
include "journal_reading.pxi"
include "journal_calls.pxi"


cdef class CallTable:
    """The same as `CallTableInPython`, which documents the methods."""

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
            _remember(self, call_id, from_tag, ended_at)
        calls = sorted((call for _, call in saved), key=lambda call: call.serial)
        for call in calls:
            _add(self, call)
            self._last_serial = call.serial
        for row, call in saved:
            _write(self, _entry_of(self, call), row)
        for call in sorted(calls, key=lambda call: call.waits_since):
            _wait(self, _entry_of(self, call), now_at)

    def find(self, tuple key):
        cdef Entry *entry = _find(self, key)
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
            entry = _entry_of(self, call)
            _copy_call(entry, call)
        else:
            self._last_serial += 1
            call.serial = self._last_serial
            entry = _add(self, call)
        _touch(self, entry, now_at)

    def end(self, call, record):
        cdef Entry *entry = _entry_of(self, call)
        cdef bytes line = by_wall_clock(record, self.correction_s).to_line()
        _reserve(&self._lines, PyBytes_GET_SIZE(line))
        _put(&self._lines, PyBytes_AS_STRING(line), PyBytes_GET_SIZE(line))
        self._lines.count += 1
        entry.ended_at = call.ended_at or 0.0
        _end(self, entry)

    def close(self, call):
        cdef Entry *entry = _entry_of(self, call)
        _close(self, entry)
        _free(entry)

    def due(self, double now_at):
        cdef int queue
        cdef Entry *entry
        calls = []
        for queue in range(self._queue_count):
            entry = self._queues[queue].first
            while entry != NULL and entry.due_at <= now_at:
                calls.append(_call_of(entry))
                _wait_no_longer(self, entry)
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
        cdef Entry *entry = _find_end(self, key)
        return None if entry == NULL else entry.ended_at

    def add_end(self, tuple key, double ended_at):
        _remember(self, key[0], key[1], ended_at)
        _pack_end(&self._ended_batch, _view(key[0]), _view(key[1]), ended_at)
        _forget_oldest(self)

    def forget_end(self, tuple key):
        cdef Entry *entry = _find_end(self, key)
        if entry == NULL:
            raise KeyError(key)
        _pack_end(&self._ended_batch, entry.call_id, entry.from_tag, NEVER)
        _forget(self, entry)

    def take_changes(self, int64_t row, int64_t worn):
        cdef Entry *entry = self._changed.first
        while entry != NULL:
            _remove(&self._changed, entry, CHANGED)
            entry.has_changed = False
            _pack(self, entry, row)
            entry = self._changed.first
        entry = self._written.first
        while entry != NULL and entry.row <= worn:
            _pack(self, entry, row)
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
            if not _fold(self, &cursor, &event, now_at):
                break
            taken += 1
            start = cursor.at - data
        cursor.at = data + start
        if taken < count:
            _skip_item(&cursor)
        return Run(taken, start, cursor.at - data)


include "journal_folding.pxi"
include "journal_keeping.pxi"
