# Users by name, with their packed bindings: the twin of registrar/user_table.py.

NONE = b"\x90"  # a packed list
cdef Py_ssize_t LOOKS_A_NAME = 40

cdef struct User:
    Node node
    double until  # when the first of its bindings ends
    int64_t row
    uint32_t bindings
    uint32_t name_size
    uint32_t size  # of the packed list of bindings, which follows the name


cdef inline uint8_t *data_of(User *user) noexcept nogil:
    return <uint8_t *>user + sizeof(User)


cdef inline Slice name_of(User *user) noexcept nogil:
    return slice_of(data_of(user), data_of(user) + user.name_size)


cdef inline Slice packed_of(User *user) noexcept nogil:
    return slice_of(data_of(user) + user.name_size, data_of(user) + user.name_size + user.size)


cdef User *find_user(const Table *table, Slice name) noexcept nogil:
    """The user of this name; NULL without one."""
    cdef Node *node = first_in(table, hash_of(name, 0))
    while node != NULL:
        if same(name_of(<User *>node.owner), name):
            return <User *>node.owner
        node = next_in(node)
    return NULL


cdef bint skip(Cursor *cursor, int depth) noexcept nogil:
    """Skip a value that is not a map; False if it is incomplete."""
    cdef int64_t octet = read_big(cursor, 1), size = -1, items = 0
    if octet < 0 or depth > 4:
        return False
    if octet < 0x80 or octet >= 0xE0 or octet == 0xC0 or octet == 0xC2 or octet == 0xC3:
        return True
    if 0x90 <= octet <= 0x9F or octet == 0xDC or octet == 0xDD:
        cursor.at -= 1
        items = read_list(cursor)
        while items > 0 and skip(cursor, depth + 1):
            items -= 1
        return items == 0
    if 0xA0 <= octet <= 0xBF:
        size = octet - 0xA0
    elif 0xC4 <= octet <= 0xC6:
        size = read_big(cursor, 1 << (octet - 0xC4))
    elif 0xD9 <= octet <= 0xDB:
        size = read_big(cursor, 1 << (octet - 0xD9))
    elif octet == 0xCA:
        size = 4
    elif octet == 0xCB:
        size = 8
    elif 0xCC <= octet <= 0xCF:
        size = 1 << (octet - 0xCC)
    elif 0xD0 <= octet <= 0xD3:
        size = 1 << (octet - 0xD0)
    if size < 0 or cursor.end - cursor.at < size:
        return False
    cursor.at += size
    return True


cdef bint read_text(Cursor *cursor, Slice *found) noexcept nogil:
    """Read a text; False if none begins here."""
    cdef int64_t octet = read_big(cursor, 1), size = -1
    if 0xA0 <= octet <= 0xBF:
        size = octet - 0xA0
    elif 0xD9 <= octet <= 0xDB:
        size = read_big(cursor, 1 << (octet - 0xD9))
    if size < 0 or cursor.end - cursor.at < size:
        return False
    found.at, found.size = cursor.at, size
    cursor.at += size
    return True


cdef bint read_number(Cursor *cursor, double *found) noexcept nogil:
    """Read a number that is not negative, whole or not."""
    cdef int64_t octet
    if cursor.at < cursor.end and cursor.at[0] == 0xCB:
        return read_real(cursor, found)
    octet = read_big(cursor, 1)
    if 0xCC <= octet <= 0xCF:
        octet = read_big(cursor, 1 << (octet - 0xCC))
    elif octet > 0x7F:
        return False
    found[0] = <double>octet
    return octet >= 0


cdef bint measure(Slice packed, double *until, uint32_t *bindings) noexcept nogil:
    """Count the bindings of a packed list, and find the first end; False if it is not such a list."""
    cdef Cursor cursor
    cdef Py_ssize_t count, fields, at, place
    cdef double end
    cursor.at, cursor.end = packed.at, packed.at + packed.size
    count = read_list(&cursor)
    until[0] = INFINITY
    if count < 0:
        return False
    for at in range(count):
        fields = read_list(&cursor)
        if fields < 3 or not (skip(&cursor, 0) and skip(&cursor, 0) and read_number(&cursor, &end)):
            return False
        for place in range(fields - 3):
            if not skip(&cursor, 0):
                return False
        if end < until[0]:
            until[0] = end
    bindings[0] = <uint32_t>count
    return cursor.at == cursor.end


cdef inline str text_of(Slice octets):
    return octets.at[: octets.size].decode("utf-8", "surrogateescape")


cdef class UserTable:
    """Users by name; `registrar/user_table.py` documents the methods."""

    cdef Table table
    cdef readonly Py_ssize_t octets, bindings
    cdef double _earliest  # no binding ends earlier, except those that the present expiry has not reached yet
    cdef Py_ssize_t _expiry_at  # a bucket, as all positions; while the table grows, users only move to later ones
    cdef double _first_end
    cdef object _unbound
    cdef list _before  # name, former packed bindings and row of each user that was set since `begin`; None: no batch

    def __cinit__(self):
        if not open_table(&self.table):
            raise MemoryError
        self._earliest = INFINITY
        self._unbound = reference("switchboard.bounded", "Generations")(
            reference("switchboard.registrar.user_table", "MOST_UNBOUND")
        )

    def __dealloc__(self):
        cdef Py_ssize_t at
        cdef Node *node
        cdef Node *following
        if self.table.buckets == NULL:
            return
        for at in range(self.table.mask + 1):
            node = self.table.buckets[at]
            while node != NULL:
                following = node.next
                free(node.owner)
                node = following
        close_table(&self.table)

    def __len__(self):
        return self.table.count

    def __contains__(self, str user not None):
        return self._find(user) != NULL

    def was_bound(self, str user not None):
        return user in self._unbound

    def take(self, bytes records not None, Py_ssize_t start=0, int64_t row=0):
        cdef Cursor cursor
        cdef Py_ssize_t count, at
        cdef Slice name, packed
        cdef list taken = []
        if not 0 <= start <= PyBytes_GET_SIZE(records):
            raise _codec_error("no list of records")
        cursor.at = <const uint8_t *>PyBytes_AS_STRING(records) + start
        cursor.end = <const uint8_t *>PyBytes_AS_STRING(records) + PyBytes_GET_SIZE(records)
        count = read_list(&cursor)
        for at in range(count):
            if read_list(&cursor) != 2 or not read_text(&cursor, &name):
                raise _codec_error("no record")
            packed.at = cursor.at
            if not skip(&cursor, 0):
                raise _codec_error("no record")
            packed.size = cursor.at - packed.at
            self.set_user(name, packed, row)
            taken.append(text_of(name))
        if count < 0 or cursor.at != cursor.end:
            raise _codec_error("no list of records")
        return taken

    def begin(self):
        self._before = []

    def keep(self):
        self._before = None

    def undo(self):
        cdef list before = self._before or []
        cdef bytes name, packed
        self._before = None
        for name, packed, row in reversed(before):
            self.set_user(slice_in(name), slice_in(packed), row)

    def get(self, str user not None):
        cdef User *found = self._find(user)
        return None if found == NULL else bytes_of(packed_of(found))

    def row(self, str user not None):
        cdef User *found = self._find(user)
        return -1 if found == NULL else found.row

    def in_force(self, bytes records not None, int64_t row):
        cdef Cursor cursor
        cdef Py_ssize_t at
        cdef const uint8_t *start
        cdef Slice name
        cdef User *user
        cdef dict found = {}
        cursor.at = <const uint8_t *>PyBytes_AS_STRING(records)
        cursor.end = cursor.at + PyBytes_GET_SIZE(records)
        for at in range(read_list(&cursor)):
            start = cursor.at
            if read_list(&cursor) != 2 or not (read_text(&cursor, &name) and skip(&cursor, 0)):
                raise _codec_error("no record")
            user = find_user(&self.table, name)
            if user != NULL and user.row == row:
                found[bytes_of(name)] = bytes_of(slice_of(start, cursor.at))
        return list(found.values())

    def users(self):
        return self._names(0, self.table.mask + 1, INFINITY)

    def some(self, Py_ssize_t at, Py_ssize_t at_most):
        cdef Py_ssize_t start = at, looks = 0
        while 0 <= at <= self.table.mask and looks < at_most:
            looks += self._look(at)
            at += 1
        return self._names(start, at, INFINITY), at if at <= self.table.mask else 0

    def expired(self, double now_at, Py_ssize_t at_most):
        cdef Py_ssize_t start = self._expiry_at, looks = 0, most = LOOKS_A_NAME * at_most
        cdef list names = []
        if start == 0:
            if now_at < self._earliest:
                return names, False
            self._earliest = INFINITY
        while self._expiry_at <= self.table.mask and len(names) < at_most and looks < most:
            looks += 1 + self._look(self._expiry_at)
            if self._first_end <= now_at:
                names += self._names(self._expiry_at, self._expiry_at + 1, now_at)
            self._expiry_at += 1
        if self._expiry_at > self.table.mask:
            self._expiry_at = 0
        return names, self._expiry_at > 0

    cdef Py_ssize_t _look(self, Py_ssize_t at) noexcept:
        """Count the users of a bucket, and note when the first of their bindings ends."""
        cdef Py_ssize_t count = 0
        cdef Node *node = self.table.buckets[at]
        self._first_end = INFINITY
        while node != NULL:
            self._first_end = min(self._first_end, (<User *>node.owner).until)
            count += 1
            node = node.next
        self._earliest = min(self._earliest, self._first_end)
        return count

    cdef list _names(self, Py_ssize_t start, Py_ssize_t end, double until):
        """The names of users in these buckets with a binding that ends by `until`; INFINITY: of all users."""
        cdef list names = []
        cdef Py_ssize_t at
        cdef Node *node
        for at in range(start, min(end, self.table.mask + 1)):
            node = self.table.buckets[at]
            while node != NULL:
                if (<User *>node.owner).until <= until:
                    names.append(text_of(name_of(<User *>node.owner)))
                node = node.next
        return names

    cdef User *_find(self, str user):
        cdef bytes name = user.encode("utf-8", "surrogateescape")
        return find_user(&self.table, slice_in(name))

    cdef int set_user(self, Slice name, Slice packed, int64_t row) except -1:
        """Set the bindings of a user. CodecError if they are not bindings."""
        cdef User *before = find_user(&self.table, name)
        cdef User *user
        cdef double until = INFINITY
        cdef uint32_t bindings = 0
        if not measure(packed, &until, &bindings):
            raise _codec_error("no record")
        if self._before is not None:
            self._note_before(name, before)
        if bindings == 0:
            if before != NULL:
                self._forget(before)
            self._unbound.put(text_of(name), True)
            return 0
        user = <User *>malloc(sizeof(User) + name.size + packed.size)
        if user == NULL:
            raise MemoryError
        user.until, user.row, user.bindings = until, row, bindings
        user.name_size, user.size = <uint32_t>name.size, <uint32_t>packed.size
        memcpy(data_of(user), name.at, name.size)
        memcpy(data_of(user) + name.size, packed.at, packed.size)
        if before != NULL:
            self._forget(before)
        add_to(&self.table, &user.node, hash_of(name_of(user), 0), user)
        self._count(user, 1)
        self._earliest = min(self._earliest, until)
        return 0

    cdef void _forget(self, User *user) noexcept:
        self._count(user, -1)
        take_from(&self.table, &user.node)
        free(user)

    cdef int _note_before(self, Slice name, User *before) except -1:
        if before == NULL:
            self._before.append((bytes_of(name), NONE, 0))
        else:
            self._before.append((bytes_of(name), bytes_of(packed_of(before)), before.row))
        return 0

    cdef void _count(self, User *user, int sign) noexcept:
        self.octets += sign * <Py_ssize_t>(user.name_size + user.size)
        self.bindings += sign * <Py_ssize_t>user.bindings


def _codec_error(text):
    return reference("switchboard.codec", "CodecError")(text)
