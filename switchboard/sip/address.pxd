cpdef str uri_in(str text)
cpdef list split_values(str text)
