# A log of keys and values in files: the native twin of wal/keyed_log.py, with the same files and the same cleaning.
#
# Theory. The log is a sequence of segments, files of bounded size to which records are appended; the last record of a
# key counts. Only the place of each value is in memory (`key_index.pxi`). A commit is one write: its head, a checksum
# and a length, and the records that were put since the last commit. A process that is killed leaves whole commits or a
# beginning of one, which the next process recognises by the checksum. When most of the octets in the files are
# superseded, each commit writes some live values of the oldest segment again, and a segment without live values is
# removed. So the log stays proportional to what is alive, and no commit has to do much.
#
# The octets of the next commit are in `pending`, behind room for its head. If a commit fails, they stay there, and more
# are added until the disk accepts them (`log_commits.pxi`).
#
# A function returns 0 or a positive number, or -errno, unless its docstring says otherwise. No function needs the GIL,
# except the class. One thread uses a log at a time.

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from libc.errno cimport EINTR, EIO, ENOENT, ENOMEM, ENOSYS, EOPNOTSUPP, errno
from libc.math cimport INFINITY
from libc.stdio cimport snprintf
from libc.stdlib cimport free, malloc, realloc
from libc.string cimport memcpy, memmove, memset, strlen

import os
from contextlib import suppress

from switchboard.storage.writing import RETRY_S
from switchboard.wal.segment import CLEANED_A_COMMIT, MOST_READ, SEGMENT_BYTES, SLACK, WAITING_BYTES
from switchboard.wal.segment import HEADER, check_header, contents, files_of, is_behind, next_commit, report_skipped

include "crc32.pxi"
include "key_index.pxi"

cdef enum:
    LOG_COMMIT_BYTES = 8
    LOG_RECORD_BYTES = 6
    LOG_HEADER_BYTES = 8
    LOG_LONGEST_KEY = 0xFFFF
    LOG_PENDING_KEPT = 1 << 20  # room that is kept for the next commit
    LOG_NAME_ROOM = 32

cdef uint32_t LOG_ERASED = 0xFFFFFFFF
cdef Py_ssize_t _log_slack = SLACK, _log_cleaned = CLEANED_A_COMMIT, _log_most_read = MOST_READ
cdef size_t _log_waiting = WAITING_BYTES

cdef struct Log:
    KeyIndex index
    LogSegment *first
    LogSegment *last  # to which records are appended
    unsigned char *pending
    size_t pending_size  # the octets of the head included
    size_t pending_room
    Py_ssize_t size  # octets of all segments
    Py_ssize_t alive  # of each key's last record
    Py_ssize_t end  # of the newest segment's file
    Py_ssize_t segment_bytes
    unsigned char header[LOG_HEADER_BYTES]  # with which each file begins
    char *directory
    char *path  # room for one path, which the next call overwrites
    int fd  # of the newest segment; -1: its file could not be created yet
    int readers
    int error  # the errno of the last write; 0: it succeeded
    bint is_behind  # this process, or the one before, has decided more than the files contain
    unsigned long long failures
    double retry_s
    double retry_at  # monotonic s
    size_t tidied  # octets of `pending` after the last `_log_tidy`


cdef int log_init(
    Log *log, const char *directory, const unsigned char *header, Py_ssize_t segment_bytes, double retry_s,
    uint64_t seed,
) noexcept nogil:
    """Initialise a log of that directory, without segments."""
    memset(log, 0, sizeof(Log))
    log.fd = -1
    log.segment_bytes = segment_bytes
    log.retry_s, log.retry_at = retry_s, INFINITY
    log.index.seed = seed
    log.pending_size = LOG_COMMIT_BYTES
    log.directory = <char *>malloc(strlen(directory) + 1)
    log.path = <char *>malloc(strlen(directory) + LOG_NAME_ROOM)
    if log.directory == NULL or log.path == NULL:
        return -ENOMEM
    memcpy(log.directory, directory, strlen(directory) + 1)
    memcpy(log.header, header, LOG_HEADER_BYTES)
    return 0


cdef void log_free(Log *log) noexcept nogil:
    """Close and free everything; what was not committed is lost. May be called twice."""
    cdef LogSegment *segment
    log_close(log)
    index_clear(&log.index)
    while log.first != NULL:
        segment = log.first
        log.first = segment.next
        free(segment)
    free(log.pending)
    free(log.directory)
    free(log.path)
    log.last, log.pending, log.directory, log.path = NULL, NULL, NULL, NULL


cdef void log_close(Log *log) noexcept nogil:
    """Close the files."""
    if log.fd >= 0:
        _close(log.fd)
        log.fd = -1
    _log_close_readers(log)


cdef int log_put(
    Log *log, const unsigned char *key, Py_ssize_t key_size, const unsigned char *value, Py_ssize_t value_size
) noexcept nogil:
    """Set `key`; durable with the next commit. -1: out of memory, nothing has changed."""
    return log_put2(log, key, key_size, NULL, 0, value, value_size)


cdef int log_put2(
    Log *log, const unsigned char *key, Py_ssize_t key_size,
    const unsigned char *head, Py_ssize_t head_size, const unsigned char *value, Py_ssize_t value_size,
) noexcept nogil:
    """`log_put` of a value in two parts."""
    cdef unsigned char *at = log_reserve(log, key, key_size, head_size + value_size)
    if at == NULL:
        return -1
    if head_size > 0:
        memcpy(at, head, head_size)
    if value_size > 0:
        memcpy(at + head_size, value, value_size)
    return 0


cdef unsigned char *log_reserve(
    Log *log, const unsigned char *key, Py_ssize_t key_size, Py_ssize_t value_size
) noexcept nogil:
    """`log_put` of a value whose octets the caller then writes to the returned place; NULL: out of memory."""
    cdef Py_ssize_t size = LOG_RECORD_BYTES + key_size + value_size, start
    cdef unsigned char *at = _log_room(log, size) if key_size <= LOG_LONGEST_KEY else NULL
    if at == NULL:
        return NULL
    start = log.end + (at - log.pending) + size - value_size
    if _log_set(log, key, key_size, start, <uint32_t>value_size) < 0:
        return NULL
    log.pending_size += size
    return _log_write_head(at, key, key_size, <uint32_t>value_size)


cdef int log_erase(Log *log, const unsigned char *key, Py_ssize_t key_size) noexcept nogil:
    """Remove `key`; durable with the next commit. 1: it was there, 0: it was not, -1: out of memory."""
    cdef LogEntry *entry = index_find(&log.index, key, key_size)
    cdef unsigned char *at
    if entry == NULL:
        return 0
    if log.error == 0 or _log_is_written(log, entry):
        at = _log_room(log, LOG_RECORD_BYTES + key_size)
        if at == NULL:
            return -1
        _log_write_head(at, key, key_size, LOG_ERASED)
        log.pending_size += LOG_RECORD_BYTES + key_size
    _log_let_go(log, entry)
    index_remove(&log.index, entry)
    return 1


cdef int log_put_records(Log *log, const unsigned char *at, Py_ssize_t size) noexcept nogil:
    """Apply records in the form that a segment has. -1: out of memory."""
    cdef const unsigned char *end = at + size
    cdef Py_ssize_t key_size
    cdef uint32_t length
    cdef int error = 0
    while at < end and error >= 0:
        key_size, length = at[0] | at[1] << 8, _log_number(at + 2)
        at += LOG_RECORD_BYTES
        if length == LOG_ERASED:
            error = log_erase(log, at, key_size)
            at += key_size
        else:
            error = log_put(log, at, key_size, at + key_size, length)
            at += key_size + length
    return min(error, 0)


cdef inline bint _log_is_written(Log *log, LogEntry *entry) noexcept nogil:
    """Whether a file contains a record of its key."""
    return entry.written or entry.segment != log.last or entry.start < log.end + LOG_COMMIT_BYTES


cdef int log_read(Log *log, LogEntry *entry, unsigned char *value) noexcept nogil:
    """Copy the value, `entry.length` octets."""
    cdef size_t start = entry.start - log.end
    cdef int fd
    cdef Py_ssize_t got
    if entry.segment == log.last and entry.start >= log.end + LOG_COMMIT_BYTES:
        memcpy(value, log.pending + start, entry.length)
        return 0
    fd = _log_reader(log, entry.segment)
    if fd < 0:
        return fd
    got = _pread(fd, value, entry.length, entry.start)
    return 0 if got == entry.length else -errno if got < 0 else -EIO


cdef int _log_set(
    Log *log, const unsigned char *key, Py_ssize_t key_size, Py_ssize_t start, uint32_t length
) noexcept nogil:
    """Note that the value of `key` is at `start` of the newest segment. -1: out of memory."""
    cdef LogEntry *entry = index_find(&log.index, key, key_size)
    if entry != NULL:
        entry.written = _log_is_written(log, entry)
        _log_let_go(log, entry)
        index_renew(&log.index, entry)
    else:
        entry = index_add(&log.index, key, key_size)
        if entry == NULL:
            return -1
    entry.segment, entry.start, entry.length = log.last, start, length
    log.last.residents += 1
    log.alive += LOG_RECORD_BYTES + key_size + length
    return 0


cdef inline void _log_let_go(Log *log, LogEntry *entry) noexcept nogil:
    log.alive -= LOG_RECORD_BYTES + entry.key_size + <Py_ssize_t>entry.length
    entry.segment.residents -= 1


include "log_records.pxi"
include "log_segments.pxi"
include "log_commits.pxi"
include "log_replay.pxi"
include "log_object.pxi"
