cpdef object find_param(tuple params, str name)
