cdef class Overload:
    cdef public double lag_s
    cdef public bint is_full
    cdef double _late_s
    cdef bint _is_on
    cdef double _noted_at
    cdef double _noted_s
    cdef double _turns_since
    cdef double _hopeless_since
    cdef long _admitted
    cdef bint _has_refused
    cdef double _rate
    cdef double _credit
    cdef double _credited_at

    cpdef note(self, double lag_s, double now)
    cpdef bint is_pressing(self, double now)
    cpdef bint refuses(self, double now, bint of_user)
    cdef _turn(self, double now)
    cdef _begin(self, double now)
    cdef _count(self, double elapsed_s)
    cdef _learn(self, double elapsed_s, bint is_easing)
    cdef double _off(self)
    cdef bint _has_credit(self, double now, bint of_user)
