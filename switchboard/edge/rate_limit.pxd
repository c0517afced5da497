cdef class Bucket:
    cdef public double tokens
    cdef public double filled_at
    cdef public double ignored_until

cdef class Source:
    cdef public Bucket bucket
    cdef public bint exempt
    cdef public bint silent
    cdef public bint free

cdef class Sources:
    cdef object _policy
    cdef double _rate
    cdef double _burst
    cdef double _ignored_s
    cdef dict _young
    cdef dict _old
    cdef dict _sites
    cdef dict _old_sites
    cdef public object phones
    cdef public Py_ssize_t ignored
    cdef public Py_ssize_t denied
    cdef public list floods

    cpdef Source find(self, str host, double now)
    cpdef bint hears(self, Source source, str host, long port, double now)
    cdef _ignore(self, Bucket bucket, str host, double now)
    cdef Source _meet(self, str host, double now)
    cdef Source _make(self, str host, double now)
    cdef Bucket _site(self, str host, double now)
