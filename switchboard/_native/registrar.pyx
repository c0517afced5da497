# cython: boundscheck=False, wraparound=False, cdivision=True
"""The registrar's part of the compiled core: its table of users, which routers have as well, and the plain REGISTER."""

import secrets
from importlib import import_module

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.object cimport PyObject
from cpython.ref cimport Py_DECREF, Py_INCREF
from libc.math cimport INFINITY, rint
from libc.stdint cimport uintptr_t
from libc.stdio cimport snprintf
from libc.string cimport strlen


cdef object reference(str module, str name):
    return getattr(import_module(module), name)


include "octets.pxi"
include "packing.pxi"
include "sums.pxi"
include "reading.pxi"
include "facts.pxi"


cdef inline bytes bytes_of(Slice octets):
    return PyBytes_FromStringAndSize(<const char *>octets.at, octets.size)


cdef inline Slice slice_in(bytes octets):
    cdef Slice found
    found.at, found.size = <const uint8_t *>PyBytes_AS_STRING(octets), PyBytes_GET_SIZE(octets)
    return found


def _choose_secret():
    cdef bytes octets = secrets.token_bytes(16)
    memcpy(_secret, PyBytes_AS_STRING(octets), 16)


_choose_secret()

include "users.pxi"
include "answered.pxi"
include "contacts.pxi"
include "reception.pxi"
