"""Compiled twin of `codec.pack`. Values that are odd, or cannot be packed, are left to the reference."""

cdef enum:
    DEEPEST = 64
    KEPT = 1 << 20  # room that is kept for the next value

cdef uint8_t *_packed = NULL
cdef Py_ssize_t _packed_size = 0, _packed_room = 0


cdef int _reserve(Py_ssize_t more) except -1:
    global _packed, _packed_room
    cdef Py_ssize_t room = _packed_size + more
    cdef uint8_t *data
    if room > _packed_room:
        room = 2 * room + 4096
        data = <uint8_t *>PyMem_Realloc(_packed, room)
        if data == NULL:
            raise MemoryError
        _packed, _packed_room = data, room
    return 0


cdef inline void _put_number(uint8_t first, uint64_t number, int octets) noexcept:
    """Write `first` and the number behind it, the highest octet first."""
    global _packed_size
    cdef int at
    _packed[_packed_size] = first
    for at in range(octets):
        _packed[_packed_size + 1 + at] = <uint8_t>(number >> (8 * (octets - 1 - at)))
    _packed_size += 1 + octets


cdef inline void _put_head(Py_ssize_t length, uint8_t few, Py_ssize_t most, uint8_t one, uint8_t two) noexcept:
    """Write the head of a value with a length. `one`: 0 if a length has at least two octets."""
    if length < most:
        _put_number(few | <uint8_t>length, 0, 0)
    elif one and length < 0x100:
        _put_number(one, length, 1)
    elif length < 0x10000:
        _put_number(two, length, 2)
    else:
        _put_number(two + 1, length, 4)


cdef inline void _put_integer(int64_t number) noexcept:
    if number >= 0:
        if number < 0x80:
            _put_number(<uint8_t>number, 0, 0)
        elif number < 0x100:
            _put_number(0xCC, number, 1)
        elif number < 0x10000:
            _put_number(0xCD, number, 2)
        elif number < 0x100000000:
            _put_number(0xCE, number, 4)
        else:
            _put_number(0xCF, number, 8)
    elif number >= -0x20:
        _put_number(<uint8_t>number, 0, 0)
    elif number >= -0x80:
        _put_number(0xD0, number, 1)
    elif number >= -0x8000:
        _put_number(0xD1, number, 2)
    elif number >= -<int64_t>0x80000000:
        _put_number(0xD2, number, 4)
    else:
        _put_number(0xD3, number, 8)


cdef inline int _put_octets(const void *start, Py_ssize_t length) except -1:
    global _packed_size
    _reserve(length)
    memcpy(_packed + _packed_size, start, length)
    _packed_size += length
    return 0


cdef bint _put(object value, int depth) except -1:
    """Write a value; False if the reference has to do it."""
    cdef Py_ssize_t length, at = 0
    cdef int overflow = 0
    cdef int64_t number
    cdef double real
    cdef uint64_t pattern
    cdef bytes encoded
    cdef PyObject *key = NULL
    cdef PyObject *item = NULL
    _reserve(16)
    if PyUnicode_Check(value):
        if PyUnicode_IS_COMPACT_ASCII(value):
            length = PyUnicode_GET_LENGTH(value)
            _put_head(length, 0xA0, 32, 0xD9, 0xDA)
            _put_octets(PyUnicode_DATA(value), length)
        else:
            encoded = PyUnicode_AsEncodedString(value, b"utf-8", b"surrogateescape")
            length = PyBytes_GET_SIZE(encoded)
            _put_head(length, 0xA0, 32, 0xD9, 0xDA)
            _put_octets(PyBytes_AS_STRING(encoded), length)
    elif value is None:
        _put_number(0xC0, 0, 0)
    elif value is False:
        _put_number(0xC2, 0, 0)
    elif value is True:
        _put_number(0xC3, 0, 0)
    elif PyLong_Check(value):
        number = PyLong_AsLongLongAndOverflow(value, &overflow)
        if overflow:
            return False
        _put_integer(number)
    elif PyFloat_CheckExact(value):
        real = PyFloat_AS_DOUBLE(value)
        memcpy(&pattern, &real, 8)
        _put_number(0xCB, pattern, 8)
    elif PyBytes_Check(value):
        length = PyBytes_GET_SIZE(value)
        _put_head(length, 0, 0, 0xC4, 0xC5)
        _put_octets(PyBytes_AS_STRING(value), length)
    elif depth == DEEPEST:
        return False
    elif PyTuple_CheckExact(value) or (PyTuple_Check(value) and not isinstance(value, ExtType)):
        length = PyTuple_GET_SIZE(value)
        _put_head(length, 0x90, 16, 0, 0xDC)
        for at in range(length):
            if not _put(<object>PyTuple_GET_ITEM(value, at), depth + 1):
                return False
    elif PyList_CheckExact(value):
        length = PyList_GET_SIZE(value)
        _put_head(length, 0x90, 16, 0, 0xDC)
        for at in range(length):
            if not _put(<object>PyList_GET_ITEM(value, at), depth + 1):
                return False
    elif PyDict_CheckExact(value):
        _put_head(PyDict_Size(value), 0x80, 16, 0, 0xDE)
        while PyDict_Next(value, &at, &key, &item):
            if not (_put(<object>key, depth + 1) and _put(<object>item, depth + 1)):
                return False
    else:
        return False
    return True


def pack(object value):
    """Return the same as `pack_in_python`."""
    global _packed_size, _packed, _packed_room
    cdef bint done
    _packed_size = 0
    try:
        done = _put(value, 0)
    except (UnicodeError, MemoryError):
        done = False
    if not done:
        return reference("switchboard.codec", "pack_in_python")(value)
    packed = PyBytes_FromStringAndSize(<char *>_packed, _packed_size)
    if _packed_room > KEPT:
        PyMem_Free(_packed)
        _packed, _packed_room = NULL, 0
    return packed
