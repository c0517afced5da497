cpdef bytes unfold(bytes value)
cpdef str text_of(bytes value)
