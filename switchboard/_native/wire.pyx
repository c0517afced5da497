# cython: boundscheck=False, wraparound=False
"""What is compiled of edge, translator and bus: one extension module, a part of it for each Python module.

Every part has its reference in Python, which imports it if it is there; what is not plain a part leaves to the
reference. Nothing of ours that may be importing this module is imported before it is needed.
"""

from cpython.array cimport array, clone
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_Check, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.dict cimport PyDict_CheckExact, PyDict_Next, PyDict_Size
from cpython.exc cimport PyErr_CheckSignals, PyErr_SetFromErrno
from cpython.float cimport PyFloat_AS_DOUBLE, PyFloat_CheckExact
from cpython.list cimport PyList_Append, PyList_CheckExact, PyList_GET_ITEM, PyList_GET_SIZE
from cpython.long cimport PyLong_AsLongLongAndOverflow, PyLong_Check
from cpython.mem cimport PyMem_Free, PyMem_Malloc, PyMem_Realloc
from cpython.object cimport PyObject
from cpython.tuple cimport PyTuple_Check, PyTuple_CheckExact, PyTuple_GET_ITEM, PyTuple_GET_SIZE
from cpython.unicode cimport PyUnicode_AsEncodedString, PyUnicode_Check, PyUnicode_DecodeASCII, PyUnicode_DecodeUTF8
from libc.errno cimport EAGAIN, EINTR, errno
from libc.math cimport INFINITY, ceil
from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t, uintptr_t
from libc.stdio cimport snprintf
from libc.stdlib cimport calloc, free, malloc, realloc
from libc.string cimport memchr, memcmp, memcpy, memset, strlen

from importlib import import_module

from msgpack import ExtType

from switchboard.sip.grammar import check_host
from switchboard.sip.headers import NUMBER_BY_WIRE_NAME, Header
from switchboard.sip.phrases import REASON_PHRASES

cdef extern from "Python.h":
    bint PyUnicode_IS_ASCII(object)
    bint PyUnicode_IS_COMPACT_ASCII(object)
    Py_ssize_t PyUnicode_GET_LENGTH(object)
    void *PyUnicode_DATA(object)


cdef object reference(str module, str name):
    return getattr(import_module(module), name)


include "clocks.pxi"
include "index.pxi"
include "packed.pxi"
include "codec.pxi"
include "scan.pxi"
include "fields.pxi"
include "grammar.pxi"
include "uri.pxi"
include "message.pxi"
include "splice.pxi"
include "sampling.pxi"
include "sockets.pxi"
include "rounds.pxi"
include "outbox.pxi"
include "datagrams.pxi"
include "rate_limit.pxi"
include "ingress.pxi"
include "edge_path.pxi"
include "stream_framing.pxi"
include "stream_rings.pxi"
include "stream_states.pxi"
include "stream_path.pxi"
include "translator.pxi"
include "sender.pxi"
include "streams.pxi"
