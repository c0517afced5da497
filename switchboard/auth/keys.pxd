cpdef bytes seal(bytes key, object use, bytes data, int size=*)
