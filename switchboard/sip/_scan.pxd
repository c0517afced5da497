"""The scanner for other compiled modules."""

from libc.stdint cimport uint16_t

cdef Py_ssize_t scan_into(const unsigned char *data, Py_ssize_t size, uint16_t *index) noexcept nogil
cdef Py_ssize_t longest_index() noexcept nogil
