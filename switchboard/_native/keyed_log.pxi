# Native twin of wal/keyed_log.py: the same files, the same order of records, the same cleaning.
#
# The octets of the next commit gather in `pending`, behind room for its head: a commit is one write. Of what was
# written only the places are in memory. Numbers that a function returns are 0 or more, or -errno, if its docstring
# says no more. Nothing here needs the GIL; one thread uses a log at a time.
# A commit that failed stays in `pending`, and grows until the disk takes it.

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

cdef extern from "fcntl.h" nogil:
    int O_APPEND, O_CLOEXEC, O_CREAT, O_RDONLY, O_TRUNC, O_WRONLY
    int _open "open"(const char *path, int flags, ...)

cdef extern from "unistd.h" nogil:
    int _close "close"(int fd)
    int _unlink "unlink"(const char *path)
    Py_ssize_t _write "write"(int fd, const void *data, size_t size)
    Py_ssize_t _pread "pread"(int fd, void *data, size_t size, long offset)
    int _ftruncate "ftruncate"(int fd, long size)

cdef extern from "sys/stat.h" nogil:
    int _chmod "chmod"(const char *path, unsigned int mode)
    int _mkdir "mkdir"(const char *path, unsigned int mode)

cdef extern from *:
    """
    #ifdef __linux__
    #define room_behind(fd, end, size) fallocate(fd, 1, end, size)  /* FALLOC_FL_KEEP_SIZE */
    #else
    #define room_behind(fd, end, size) 0
    #endif
    """
    int room_behind(int fd, long end, long size) nogil

cdef enum:
    LOG_COMMIT_BYTES = 8
    LOG_RECORD_BYTES = 6
    LOG_HEADER_BYTES = 8
    LOG_LONGEST_KEY = 0xFFFF
    LOG_PENDING_KEPT = 1 << 20  # so much room is kept for the next commit
    LOG_NAME_ROOM = 32

cdef uint32_t LOG_ERASED = 0xFFFFFFFF
cdef Py_ssize_t _log_slack = SLACK, _log_cleaned = CLEANED_A_COMMIT, _log_most_read = MOST_READ
cdef size_t _log_waiting = WAITING_BYTES

cdef struct Log:
    KeyIndex index
    LogSegment *first
    LogSegment *last  # the one that is written
    unsigned char *pending
    size_t pending_size  # the head's octets counted
    size_t pending_room
    Py_ssize_t size  # octets of all segments
    Py_ssize_t alive  # of the records that count
    Py_ssize_t end  # of the newest segment's file
    Py_ssize_t segment_bytes
    unsigned char header[LOG_HEADER_BYTES]  # of each file
    char *directory
    char *path  # room for one, to be used at once
    int fd  # -1: the newest segment's file could not be begun yet
    int readers
    int error  # errno: why what is pending cannot be written, 0: nothing is wrong
    bint is_behind  # more was decided, by us or the process before, than is in the files
    unsigned long long failures
    double retry_s
    double retry_at  # monotonic s
    size_t tidied  # of `pending`, when that was tidied last


cdef int log_init(
    Log *log, const char *directory, const unsigned char *header, Py_ssize_t segment_bytes, double retry_s,
    uint64_t seed,
) noexcept nogil:
    """Make an empty log of that directory, without a segment."""
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
    """Close and free all; what was not committed is lost. Harmless where it was done."""
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
    """Set `key`; durable with the next commit. -1: out of memory, nothing was set."""
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
    """`log_put` of a value whose octets the caller writes at once where this returns; NULL: out of memory."""
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
    """Set and erase what stands in these records, as a segment would have it. -1: out of memory."""
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


cdef int log_commit(Log *log) noexcept nogil:
    """Write what was put and erased since the last commit that succeeded: one write. -1: it waits, see `log.error`."""
    cdef Py_ssize_t size
    if log.error:
        if monotonic() < log.retry_at:
            if log.pending_size > 2 * log.tidied + _log_waiting:
                _log_tidy(log)
            return -1
    elif log.pending_size == LOG_COMMIT_BYTES:
        return 0
    elif log.size > _log_slack * log.alive + 2 * log.segment_bytes:
        _log_clean(log)
    size = _log_write_pending(log)
    if size < 0:
        _log_fail(log, <int>-size)
        return -1
    log.end += size
    log.size += size
    log.last.size += size
    log.pending_size = LOG_COMMIT_BYTES
    log.error, log.retry_at = 0, INFINITY
    if log.is_behind:
        _log_mark(log, False)
    _log_shrink(log)
    _log_drop_empty(log)
    return 0 if log.last.size < log.segment_bytes else log_open_segment(log)


cdef Py_ssize_t _log_write_pending(Log *log) noexcept nogil:
    """Write what waits, if anything does; return how many octets, or -errno."""
    cdef Py_ssize_t size
    cdef int error = 0 if log.fd >= 0 else _log_begin_file(log)
    if error == 0 and log.error:
        error = _log_claim(log)
        if error == 0:
            _log_tidy(log)
    if error < 0:
        return error
    size = log.pending_size
    if size == LOG_COMMIT_BYTES:
        size = 0
    else:
        _log_write_number(log.pending, crc32_of(log.pending + LOG_COMMIT_BYTES, size - LOG_COMMIT_BYTES))
        _log_write_number(log.pending + 4, <uint32_t>(size - LOG_COMMIT_BYTES))
        error = _log_write_all(log.fd, log.pending, size)
    if error < 0:
        _ftruncate(log.fd, log.end)
    elif log.error and _ftruncate(log.fd, log.end + size) < 0:
        error = -errno
    return size if error == 0 else error


cdef int _log_claim(Log *log) noexcept nogil:
    """After a failure: cut what is behind the last commit, and have room for all that waits."""
    cdef int error = 0
    if _ftruncate(log.fd, log.end) < 0:
        return -errno
    if room_behind(log.fd, log.end, log.pending_size) < 0 and errno != EOPNOTSUPP and errno != ENOSYS:
        error = -errno
        _ftruncate(log.fd, log.end)
    return error


cdef void _log_fail(Log *log, int error) noexcept nogil:
    if log.error == 0:
        log.tidied = 0
        _log_mark(log, True)
    log.error = error
    log.failures += 1
    log.retry_at = monotonic() + log.retry_s


cdef void _log_mark(Log *log, bint is_behind) noexcept nogil:
    """Note at the newest file that commits are missing, which a full disk allows; or at all that none is."""
    cdef LogSegment *segment = log.first
    log.is_behind = is_behind
    while segment != NULL:
        if not is_behind:
            _chmod(_log_path(log, segment), 0o600)
        elif segment.next == NULL or (segment.next == log.last and log.fd < 0):
            _chmod(_log_path(log, segment), 0o400)
            return
        segment = segment.next


cdef void _log_tidy(Log *log) noexcept nogil:
    """Leave out of what waits what was set anew or erased since. Erasures stay: their keys are in files."""
    cdef size_t position = LOG_COMMIT_BYTES, kept = LOG_COMMIT_BYTES
    cdef Py_ssize_t before, size
    cdef unsigned char *at
    cdef uint32_t length
    cdef LogEntry *entry
    while position < log.pending_size:
        at = log.pending + position
        length = _log_number(at + 2)
        before = size = LOG_RECORD_BYTES + (at[0] | at[1] << 8)
        if length != LOG_ERASED:
            size += length
            entry = index_find(&log.index, at + LOG_RECORD_BYTES, before - LOG_RECORD_BYTES)
            if entry == NULL or entry.segment != log.last or entry.start != <Py_ssize_t>(log.end + position + before):
                position += size
                continue
            entry.start = log.end + kept + before
        memmove(log.pending + kept, at, size)
        position += size
        kept += size
    log.pending_size = kept
    log.tidied = kept - LOG_COMMIT_BYTES


cdef inline bint _log_is_written(Log *log, LogEntry *entry) noexcept nogil:
    """Whether a record of its key is in a file."""
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


cdef int log_open_segment(Log *log) noexcept nogil:
    """Write to the next file from now on; the first commit in it tries again to begin that. -1: out of memory."""
    if log_add_segment(log, log.last.number + 1 if log.last != NULL else 1) == NULL:
        return -1
    if log.fd >= 0:
        _close(log.fd)
        log.fd = -1
    log.end = LOG_HEADER_BYTES
    _log_begin_file(log)
    return 0


cdef int _log_begin_file(Log *log) noexcept nogil:
    cdef int error = 0
    cdef int fd = _log_create(log)
    if fd == -ENOENT and _mkdir(log.directory, 0o700) == 0:
        fd = _log_create(log)
    if fd >= 0:
        error = _log_write_all(fd, log.header, LOG_HEADER_BYTES)
    if fd < 0 or error < 0:
        if fd >= 0:
            _close(fd)
        return error if error < 0 else fd
    log.fd = fd
    return 0


cdef int _log_create(Log *log) noexcept nogil:
    cdef int fd = _open(_log_path(log, log.last), O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0o600)
    return fd if fd >= 0 else -errno


cdef LogSegment *log_add_segment(Log *log, long number) noexcept nogil:
    """Make that segment the newest; NULL: out of memory."""
    cdef LogSegment *segment = <LogSegment *>malloc(sizeof(LogSegment))
    if segment == NULL:
        return NULL
    segment.next, segment.number, segment.size, segment.residents, segment.reader = NULL, number, 0, 0, -1
    if log.last != NULL:
        log.last.next = segment
    else:
        log.first = segment
    log.last = segment
    return segment


cdef Py_ssize_t log_replay(Log *log, const unsigned char *data, Py_ssize_t position, Py_ssize_t size) noexcept nogil:
    """Take in the records of whole commits in `data`, which the newest segment's file holds, from `position` on.

    Where the first one begins that is not whole, the end if all are. -1: out of memory.
    """
    cdef Py_ssize_t start, end
    while position + LOG_COMMIT_BYTES <= size:
        start = position + LOG_COMMIT_BYTES
        end = start + _log_number(data + position + 4)
        if end > size or not _log_holds_records(data, start, end) or _log_number(data + position) != crc32_of(
            data + start, end - start
        ):
            return position
        if _log_replay_commit(log, data, start, end) < 0:
            return -1
        position = end
    return position


cdef bint _log_holds_records(const unsigned char *data, Py_ssize_t position, Py_ssize_t end) noexcept nogil:
    """Whether whole records, one at least, fill that place."""
    cdef uint32_t length
    if position == end:
        return False
    while position + LOG_RECORD_BYTES <= end:
        length = _log_number(data + position + 2)
        position += LOG_RECORD_BYTES + (data[position] | data[position + 1] << 8)
        if length != LOG_ERASED:
            position += length
    return position == end


cdef int _log_replay_commit(Log *log, const unsigned char *data, Py_ssize_t position, Py_ssize_t end) noexcept nogil:
    """-1: out of memory."""
    cdef Py_ssize_t key_size
    cdef const unsigned char *key
    cdef uint32_t length
    cdef LogEntry *entry
    while position < end:
        key_size = data[position] | data[position + 1] << 8
        length = _log_number(data + position + 2)
        key = data + position + LOG_RECORD_BYTES
        position += LOG_RECORD_BYTES + key_size
        if length != LOG_ERASED:
            if _log_set(log, key, key_size, position, length) < 0:
                return -1
            position += length
            continue
        entry = index_find(&log.index, key, key_size)
        if entry != NULL:
            _log_let_go(log, entry)
            index_remove(&log.index, entry)
    return 0


cdef int _log_set(
    Log *log, const unsigned char *key, Py_ssize_t key_size, Py_ssize_t start, uint32_t length
) noexcept nogil:
    """The value of `key` is there in the newest segment from now on. -1: out of memory."""
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


cdef void _log_clean(Log *log) noexcept nogil:
    """Write some of what is alive in the oldest segment anew; what cannot be read stays there."""
    cdef Py_ssize_t left = _log_cleaned
    cdef LogEntry *entry = log.index.oldest
    cdef unsigned char *at
    while left > 0 and entry != NULL and entry.segment != log.last:
        at = _log_room(log, LOG_RECORD_BYTES + entry.key_size + <Py_ssize_t>entry.length)
        if at == NULL or log_read(log, entry, at + LOG_RECORD_BYTES + entry.key_size) < 0:
            return
        log_reserve(log, entry_key(entry), entry.key_size, entry.length)  # there is room: it stays where it is
        entry = log.index.oldest
        left -= 1


cdef void _log_drop_empty(Log *log) noexcept nogil:
    """Remove segments oldest first, so that an erasure never goes before what it erases."""
    cdef LogSegment *segment
    while log.first != log.last and log.first.residents == 0:
        segment = log.first
        if _unlink(_log_path(log, segment)) < 0 and errno != ENOENT:
            return
        log.size -= segment.size
        if segment.reader >= 0:
            _close(segment.reader)
            log.readers -= 1
        log.first = segment.next
        free(segment)


cdef int _log_reader(Log *log, LogSegment *segment) noexcept nogil:
    if segment.reader < 0:
        if log.readers >= _log_most_read:
            _log_close_readers(log)
        segment.reader = _open(_log_path(log, segment), O_RDONLY | O_CLOEXEC)
        if segment.reader < 0:
            return -errno
        log.readers += 1
    return segment.reader


cdef void _log_close_readers(Log *log) noexcept nogil:
    cdef LogSegment *segment = log.first
    while segment != NULL:
        if segment.reader >= 0:
            _close(segment.reader)
            segment.reader = -1
        segment = segment.next
    log.readers = 0


cdef const char *_log_path(Log *log, LogSegment *segment) noexcept nogil:
    snprintf(log.path, strlen(log.directory) + LOG_NAME_ROOM, b"%s/%010ld.log", log.directory, segment.number)
    return log.path


cdef unsigned char *_log_room(Log *log, Py_ssize_t size) noexcept nogil:
    """Where the next `size` octets of the commit go; NULL: out of memory, or more than a commit holds."""
    cdef size_t needed = log.pending_size + size
    cdef unsigned char *pending
    if needed > log.pending_room:
        if needed >= LOG_ERASED:
            return NULL
        pending = <unsigned char *>realloc(log.pending, 2 * needed)
        if pending == NULL:
            return NULL
        log.pending, log.pending_room = pending, 2 * needed
    return log.pending + log.pending_size


cdef inline void _log_shrink(Log *log) noexcept nogil:
    if log.pending_room > LOG_PENDING_KEPT:
        free(log.pending)
        log.pending, log.pending_room = NULL, 0


cdef unsigned char *_log_write_head(
    unsigned char *at, const unsigned char *key, Py_ssize_t key_size, uint32_t length
) noexcept nogil:
    at[0] = <unsigned char>key_size
    at[1] = <unsigned char>(key_size >> 8)
    _log_write_number(at + 2, length)
    memcpy(at + LOG_RECORD_BYTES, key, key_size)
    return at + LOG_RECORD_BYTES + key_size


cdef inline void _log_write_number(unsigned char *at, uint32_t number) noexcept nogil:
    cdef int each
    for each in range(4):
        at[each] = <unsigned char>(number >> 8 * each)


cdef inline uint32_t _log_number(const unsigned char *at) noexcept nogil:
    return at[0] | <uint32_t>at[1] << 8 | <uint32_t>at[2] << 16 | <uint32_t>at[3] << 24


cdef int _log_write_all(int fd, const unsigned char *data, Py_ssize_t size) noexcept nogil:
    cdef Py_ssize_t written
    while size > 0:
        written = _write(fd, data, size)
        if written >= 0:
            data += written
            size -= written
        elif errno != EINTR:
            return -errno
    return 0


cdef int _log_check(int error) except -1:
    """OSError for -errno."""
    if error < 0:
        raise OSError(-error, os.strerror(-error))
    return 0


cdef class NativeKeyedLog:
    """Keys and values as bytes, in the files of `directory`. One process writes at a time.

    SegmentError if a file there cannot be read.
    """

    cdef Log log

    def __cinit__(self):
        memset(&self.log, 0, sizeof(Log))
        self.log.fd = -1

    def __init__(self, directory, Py_ssize_t segment_bytes=SEGMENT_BYTES, double retry_s=RETRY_S):
        cdef bytes encoded = os.fsencode(directory), header = HEADER, seed = os.urandom(sizeof(uint64_t))
        log_free(&self.log)
        _log_check(
            log_init(&self.log, encoded, header, segment_bytes, retry_s, (<const uint64_t *><const char *>seed)[0])
        )
        for number, path in files_of(directory):
            self._replay(number, path)
        with suppress(OSError):  # it is tried again
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        if log_open_segment(&self.log) < 0:
            raise MemoryError

    def __dealloc__(self):
        log_free(&self.log)

    cdef int _replay(self, uint64_t number, path) except -1:
        cdef bytes data = contents(path)
        if data is None:
            data, self.log.is_behind = b"", True
        cdef int skipped = not check_header(path, data)
        self.log.is_behind = self.log.is_behind or is_behind(path)
        if log_add_segment(&self.log, number) == NULL:
            raise MemoryError
        self.log.last.size = PyBytes_GET_SIZE(data)
        self.log.size += self.log.last.size
        return self._replay_all(path, data, skipped)

    cdef int _replay_all(self, path, bytes data, int skipped) except -1:
        """Damaged commits are skipped, where others follow. `skipped`: whether the header was."""
        cdef Py_ssize_t position = LOG_HEADER_BYTES, size = PyBytes_GET_SIZE(data)
        while position and position < size:
            position = log_replay(&self.log, <const unsigned char *>PyBytes_AS_STRING(data), position, size)
            if position < 0:
                raise MemoryError
            if position < size:
                position = next_commit(data, position)
                skipped += position > 0
        if skipped:
            report_skipped(path, skipped)
            self.log.is_behind = True
        return 0

    @property
    def size(self):
        """Bytes of all segments."""
        return self.log.size

    @property
    def error(self):
        """Why what waits cannot be written, as the system's number; 0: nothing is wrong."""
        return self.log.error

    @property
    def retry_at(self):
        """When a commit tries again, if something is wrong (monotonic s); infinite: nothing is."""
        return self.log.retry_at

    @property
    def failures(self):
        """Tries to write that failed."""
        return self.log.failures

    @property
    def unwritten(self):
        """Octets of what waits for a commit."""
        return self.log.pending_size - LOG_COMMIT_BYTES

    @property
    def is_behind(self):
        """Whether more was decided, by this process or the one before it, than is in the files."""
        return self.log.is_behind

    def __len__(self):
        return self.log.index.count

    def __getitem__(self, bytes key not None):
        cdef const unsigned char *octets = <const unsigned char *>PyBytes_AS_STRING(key)
        cdef LogEntry *entry = index_find(&self.log.index, octets, PyBytes_GET_SIZE(key))
        if entry == NULL:
            raise KeyError(key)
        cdef bytes value = PyBytes_FromStringAndSize(NULL, entry.length)
        _log_check(log_read(&self.log, entry, <unsigned char *>PyBytes_AS_STRING(value)))
        return value

    def __iter__(self):
        return iter(self._keys())

    def items(self):
        """Every key and its value."""
        return ((key, self[key]) for key in self._keys())

    cdef list _keys(self):
        cdef list keys = []
        cdef LogEntry *entry = self.log.index.oldest
        while entry != NULL:
            keys.append(PyBytes_FromStringAndSize(<char *>entry_key(entry), entry.key_size))
            entry = entry.newer
        return keys

    cpdef put(self, bytes key, bytes value):
        """Set `key`; durable with the next commit. ValueError: it is longer than 65,535 octets."""
        cdef const unsigned char *octets = <const unsigned char *>PyBytes_AS_STRING(key)
        cdef const unsigned char *data = <const unsigned char *>PyBytes_AS_STRING(value)
        if PyBytes_GET_SIZE(key) > LOG_LONGEST_KEY:
            raise ValueError(f"A key of {len(key)} octets is too long for a log.")
        if log_put(&self.log, octets, PyBytes_GET_SIZE(key), data, PyBytes_GET_SIZE(value)) < 0:
            raise MemoryError

    cpdef erase(self, bytes key):
        """Remove `key` if it is there; durable with the next commit."""
        if log_erase(&self.log, <const unsigned char *>PyBytes_AS_STRING(key), PyBytes_GET_SIZE(key)) < 0:
            raise MemoryError

    def put_records(self, bytes records not None):
        """Set and erase what stands in `records` (trusted), as a segment would have it."""
        if log_put_records(&self.log, <const unsigned char *>PyBytes_AS_STRING(records), PyBytes_GET_SIZE(records)) < 0:
            raise MemoryError

    def commit(self):
        """Write what was put and erased since the last commit that succeeded: one write.

        If that fails, `error` says why, and all waits for one of the next commits, `retry_s` later or more.
        """
        with nogil:
            log_commit(&self.log)

    def close(self):
        """Close the file; what was not committed is lost."""
        log_close(&self.log)
