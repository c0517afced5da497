# cython: boundscheck=False, wraparound=False
"""Compiled twin of `codec.pack`; what is not plain, or cannot be packed, is left to the reference."""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_Check, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.dict cimport PyDict_CheckExact, PyDict_Next, PyDict_Size
from cpython.float cimport PyFloat_AS_DOUBLE, PyFloat_CheckExact
from cpython.list cimport PyList_CheckExact, PyList_GET_ITEM, PyList_GET_SIZE
from cpython.long cimport PyLong_AsLongLongAndOverflow, PyLong_Check
from cpython.mem cimport PyMem_Free, PyMem_Realloc
from cpython.object cimport PyObject
from cpython.tuple cimport PyTuple_Check, PyTuple_CheckExact, PyTuple_GET_ITEM, PyTuple_GET_SIZE
from cpython.unicode cimport PyUnicode_AsEncodedString, PyUnicode_Check
from libc.stdint cimport int64_t, uint8_t, uint64_t
from libc.string cimport memcpy

from msgpack import ExtType

from switchboard.codec import pack_in_python

cdef extern from "Python.h":
    bint PyUnicode_IS_COMPACT_ASCII(object text)
    Py_ssize_t PyUnicode_GET_LENGTH(object text)
    void *PyUnicode_DATA(object text)

cdef enum:
    DEEPEST = 64
    KEPT = 1 << 20  # so much room is kept for the next value

cdef uint8_t *_data = NULL
cdef Py_ssize_t _size = 0, _room = 0


cdef int _reserve(Py_ssize_t more) except -1:
    global _data, _room
    cdef Py_ssize_t room = _size + more
    cdef uint8_t *data
    if room > _room:
        room = 2 * room + 4096
        data = <uint8_t *>PyMem_Realloc(_data, room)
        if data == NULL:
            raise MemoryError
        _data, _room = data, room
    return 0


cdef inline void _put_number(uint8_t first, uint64_t number, int octets) noexcept:
    """Write `first` and the number behind it, the highest octet first."""
    global _size
    cdef int at
    _data[_size] = first
    for at in range(octets):
        _data[_size + 1 + at] = <uint8_t>(number >> (8 * (octets - 1 - at)))
    _size += 1 + octets


cdef inline void _put_head(Py_ssize_t length, uint8_t few, Py_ssize_t most, uint8_t one, uint8_t two) noexcept:
    """Write the head of what has a length; `one` is 0 where a length has two octets at least."""
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
    global _size
    _reserve(length)
    memcpy(_data + _size, start, length)
    _size += length
    return 0


cdef bint _put(object value, int depth) except -1:
    """Write a value; False if that is not for us."""
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
    global _size, _data, _room
    cdef bint done
    _size = 0
    try:
        done = _put(value, 0)
    except (UnicodeError, MemoryError):
        done = False
    if not done:
        return pack_in_python(value)
    packed = PyBytes_FromStringAndSize(<char *>_data, _size)
    if _room > KEPT:
        PyMem_Free(_data)
        _data, _room = NULL, 0
    return packed
