# The engine's own way to media engines: questions leave and answers come without Python (media/client.py).
#
# A socket is connected to each media engine. A cookie is the `prefix` of this process and the token. What is not
# answered plainly in time, or where nobody listens, is handed over: the reference asks by its own client, which repeats,
# asks other engines, and knows which are gone.

from libc.errno cimport EAGAIN, EINTR, ECONNREFUSED, errno

cdef extern from "sys/socket.h" nogil:
    ssize_t send(int, const void *, size_t, int)
    ssize_t recv(int, void *, size_t, int)
    int MSG_DONTWAIT

cdef enum:
    LARGEST_ANSWER = 65536
    MOST_ANSWERS = 256  # that are read from one socket before others have their turn


cdef class NgLine:
    """`fds`: of sockets that are connected to the media engines, in the order of the settings. `prefix`: random."""

    cdef list _fds
    cdef bytes _prefix
    cdef Engine _engine
    cdef Buffer _datagram
    cdef uint8_t *_answer

    def __init__(self, Engine engine not None, fds, bytes prefix not None):
        self._engine, self._fds, self._prefix = engine, list(fds), prefix
        engine.has_line = True
        self._answer = <uint8_t *>malloc(LARGEST_ANSWER)
        if self._answer == NULL:
            raise MemoryError

    def __dealloc__(self):
        release(&self._datagram)
        free(self._answer)

    cdef int ask(self) except -1:
        """Send the questions of the engine; they are in the log."""
        cdef Engine engine = self._engine
        cdef Cursor cursor
        cdef Slice command
        cdef Py_ssize_t left = engine._question_count
        cdef uint64_t token
        cdef int place
        cursor.at, cursor.end = engine._questions.data, engine._questions.data + engine._questions.size
        while left:
            left -= 1
            read_list(&cursor)
            token, place = _read_packed(&cursor), <int>_read_packed(&cursor)
            read_octets(&cursor, &command)
            self._send(token, self._fds[place], command)
        engine._questions.size = engine._question_count = 0
        return 0

    cdef void _send(self, uint64_t token, int fd, Slice command) noexcept:
        """What cannot be sent is as if it had been lost on the way."""
        cdef Buffer *to = &self._datagram
        cdef int tries
        to.size = 0
        put_slice(to, slice_in(self._prefix))
        put_hexadecimal(to, token, 1)
        put_octet(to, c' ')
        put_slice(to, command)
        for tries in range(3):  # the error of an earlier one comes first
            if send(fd, to.data, to.size, MSG_DONTWAIT) >= 0 or (errno != ECONNREFUSED and errno != EINTR):
                return

    cdef bint read(self, int fd) except -1:
        """Take what an engine has answered; False if the descriptor is not one of ours."""
        cdef int place, each
        cdef Py_ssize_t size
        if fd not in self._fds:
            return False
        place = self._fds.index(fd)
        for each in range(MOST_ANSWERS):
            size = recv(fd, self._answer, LARGEST_ANSWER, MSG_DONTWAIT)
            if size >= 0:
                self._take(place, slice_of(self._answer, self._answer + size))
            elif errno == EAGAIN:
                break
            elif errno != EINTR:
                _give_up(self._engine, place)
        return True

    cdef int _take(self, int place, Slice datagram) except -1:
        """Take an answer (untrusted); what nobody waits for is of a question that was handed over."""
        cdef Engine engine = self._engine
        cdef Reply reply
        cdef uint64_t token = 0
        cdef Saved *saved
        cdef const uint8_t *at = datagram.at
        cdef const uint8_t *end = at + datagram.size
        if datagram.size <= PyBytes_GET_SIZE(self._prefix):
            return 0
        if memcmp(at, PyBytes_AS_STRING(self._prefix), PyBytes_GET_SIZE(self._prefix)) != 0:
            return 0
        at = _read_cookie(at + PyBytes_GET_SIZE(self._prefix), end, &token)
        saved = _find_asked(engine, token)
        if at == NULL or saved == NULL or saved.relayed.place != place:
            return 0
        if not read_ng(slice_of(at, end), part(saved, P_FROM_TAG), part(saved, P_TO_TAG), &reply) or not reply.is_ok \
                or (reply.knew_nothing and engine._media_count > 1):
            return _hand_over(engine, saved)
        memcpy(saved.relayed.packets, reply.packets, sizeof(reply.packets))
        if not _take_told(engine, saved, reply.sdp, reply.has_figures):
            return _hand_over(engine, saved)
        return 0


cdef inline uint64_t _read_packed(Cursor *cursor) noexcept:
    """Read a number as `pack_number` writes it."""
    cdef int64_t octet = read_big(cursor, 1)
    return <uint64_t>octet if octet < 0x80 else <uint64_t>read_big(cursor, 1 << (octet - 0xCC))


cdef const uint8_t *_read_cookie(const uint8_t *at, const uint8_t *end, uint64_t *token) noexcept:
    """Read the hexadecimal digits ahead of a blank; return what is behind it, NULL if they do not stand here."""
    cdef int digits = 0, digit
    while at < end and at[0] != c' ' and digits < 16:
        digit = at[0] - c'0' if at[0] <= c'9' else at[0] - c'a' + 10
        if not 0 <= digit < 16:
            return NULL
        token[0] = token[0] << 4 | <uint64_t>digit
        at += 1
        digits += 1
    return at + 1 if digits and at < end and at[0] == c' ' else NULL


cdef int _give_up(Engine engine, int place) except -1:
    """Nobody listens at a media engine: the reference asks another one."""
    cdef Py_ssize_t bucket = 0
    cdef Node *node
    while bucket <= engine._asked.mask:
        node = engine._asked.buckets[bucket]
        while node != NULL and (<Saved *>node.owner).relayed.place != place:
            node = node.next
        if node == NULL:
            bucket += 1
        else:
            _hand_over(engine, <Saved *>node.owner)
    return 0
