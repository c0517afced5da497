# Answers by transaction, for retransmissions: the twin of Answered in registrar/transactions.py.

cdef struct Answer:
    Node node
    Answer *following
    double until
    PyObject *answer
    Py_ssize_t size  # of the key, which follows this struct


cdef class Answered:
    """Answers by transaction; `registrar/transactions.py` documents the methods."""

    cdef Table _table
    cdef Answer *_first
    cdef Answer *_last
    cdef Answer *_begun  # the last answer at `begin` that is still there; NULL without one
    cdef double _lifetime_s
    cdef Py_ssize_t _keep

    def __cinit__(self, double lifetime_s, Py_ssize_t keep=20000):
        self._lifetime_s, self._keep = lifetime_s, keep
        if not open_table(&self._table):
            raise MemoryError

    def __dealloc__(self):
        while self._first != NULL:
            self._drop_first()
        close_table(&self._table)

    def __len__(self):
        return self._table.count

    def add(self, bytes transaction not None, answer, double now):
        self.keep(slice_in(transaction), answer, now)

    def find(self, bytes transaction not None, double now):
        return self.found(slice_in(transaction), now)

    def begin(self):
        self._begun = self._last

    def undo(self):
        cdef Answer *one = self._first if self._begun == NULL else self._begun.following
        while one != NULL:
            one.until = 0
            one = one.following

    def purge(self, double now):
        while self._first != NULL and (self._first.node.owner == NULL or self._first.until <= now):
            self._drop_first()

    cdef int keep(self, Slice key, object answer, double now) except -1:
        cdef Answer *one = self._at(key)
        if one != NULL:
            take_from(&self._table, &one.node)  # the queue drops it later
        one = <Answer *>malloc(sizeof(Answer) + key.size)
        if one == NULL:
            raise MemoryError
        memcpy(<uint8_t *>one + sizeof(Answer), key.at, key.size)
        one.until, one.size, one.following, one.answer = now + self._lifetime_s, key.size, NULL, <PyObject *>answer
        Py_INCREF(answer)
        add_to(&self._table, &one.node, hash_of(key, 0), one)
        if self._last == NULL:
            self._first = one
        else:
            self._last.following = one
        self._last = one
        while self._table.count > self._keep:
            self._drop_first()
        return 0

    cdef object found(self, Slice key, double now):
        """The answer; None without one, or if it has expired."""
        cdef Answer *one = self._at(key)
        return <object>one.answer if one != NULL and one.until > now else None

    cdef Answer *_at(self, Slice key) noexcept:
        cdef Node *node = first_in(&self._table, hash_of(key, 0))
        cdef Answer *one
        while node != NULL:
            one = <Answer *>node.owner
            if one.size == key.size and memcmp(<uint8_t *>one + sizeof(Answer), key.at, key.size) == 0:
                return one
            node = next_in(node)
        return NULL

    cdef void _drop_first(self) noexcept:
        cdef Answer *one = self._first
        if one == self._begun:
            self._begun = NULL
        self._first = one.following
        if self._first == NULL:
            self._last = NULL
        take_from(&self._table, &one.node)
        Py_DECREF(<object>one.answer)
        free(one)
