cpdef str bracketed(str host)
cpdef str format_hop(str host, object port)
