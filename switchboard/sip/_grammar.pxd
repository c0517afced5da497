"""The words and parameters of header fields, for other compiled modules."""

from libc.stdint cimport uint8_t

cdef enum:
    # what an octet may be part of
    TOKEN = 1
    HOST = 2
    VIA_VALUE = 4
    URI = 8
    SCHEME = 16
    DISPLAY = 32
    USER = 64
    URI_PARAM = 128

    MOST_PARAMS = 8
    MOST_HOST = 255  # octets of a domain name (RFC 1035 §2.3.4)
    LARGEST_PORT = 65535

cdef struct Param:
    const unsigned char *name
    const unsigned char *name_end
    const unsigned char *value  # NULL: a flag
    const unsigned char *end


cdef uint8_t parts[256]

cdef const unsigned char *run(const unsigned char *at, const unsigned char *end, uint8_t part) noexcept
cdef str ascii(const unsigned char *start, const unsigned char *end)
cdef str text(const unsigned char *start, const unsigned char *end)
cdef long number(const unsigned char *start, const unsigned char *end) noexcept
cdef bint is_same(const Param *one, const Param *other) noexcept
cdef int read_params(const unsigned char *at, const unsigned char *end, uint8_t part, Param *found) noexcept
cdef bint is_named(const Param *param, const char *name, Py_ssize_t size) noexcept
cdef str value_of(const Param *param)
cdef str lower(const unsigned char *start, const unsigned char *end)
cdef str name_of(const Param *param)
cdef const unsigned char *host_end(const unsigned char *at, const unsigned char *end) noexcept
cdef bint is_plain_ipv4(const unsigned char *at, const unsigned char *end) noexcept
cdef tuple pairs(const Param *params, int count)
