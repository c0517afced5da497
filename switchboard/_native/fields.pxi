"""Compiled twin of `fields.py`; what is folded, or not as the scanner writes it, is left to the reference."""

cdef enum Found:
    NO_FIELD
    PLAIN_FIELD
    ODD_FIELD


cdef Found _find(bytes raw, array index, uint16_t number, Py_ssize_t *start, Py_ssize_t *end) noexcept:
    """Find a field and its trimmed value; ODD_FIELD where the index is none of this message."""
    cdef const uint16_t *numbers = index.data.as_ushorts
    cdef Py_ssize_t at
    if index.ob_descr.typecode != c'H':
        return ODD_FIELD
    at = find_field(numbers, len(index), number)
    if not at:
        return NO_FIELD
    start[0], end[0] = numbers[at + 2], numbers[at + 3]
    if not start[0] <= end[0] <= PyBytes_GET_SIZE(raw):
        return ODD_FIELD
    trim(<const unsigned char *>PyBytes_AS_STRING(raw), start, end)
    return PLAIN_FIELD


cdef Found _find_in_one_line(bytes raw, array index, uint16_t number, Py_ssize_t *start, Py_ssize_t *end) noexcept:
    cdef Found found = _find(raw, index, number, start, end)
    if found == PLAIN_FIELD and memchr(PyBytes_AS_STRING(raw) + start[0], c'\n', end[0] - start[0]) != NULL:
        return ODD_FIELD
    return found


def value(bytes raw not None, array index not None, uint16_t number):
    """Return the first field numbered `number`, trimmed and unfolded; None if there is none."""
    cdef Py_ssize_t start, end
    cdef Found found = _find_in_one_line(raw, index, number, &start, &end)
    if found == ODD_FIELD:
        return reference("switchboard.sip.fields", "value_in_python")(raw, index, number)
    return PyBytes_FromStringAndSize(PyBytes_AS_STRING(raw) + start, end - start) if found == PLAIN_FIELD else None


def text(bytes raw not None, array index not None, uint16_t number):
    """Return the same as text: UTF-8 with surrogateescape."""
    cdef Py_ssize_t start, end
    cdef Found found = _find_in_one_line(raw, index, number, &start, &end)
    if found == ODD_FIELD:
        return reference("switchboard.sip.fields", "text_in_python")(raw, index, number)
    if found == NO_FIELD:
        return None
    return PyUnicode_DecodeUTF8(PyBytes_AS_STRING(raw) + start, end - start, b"surrogateescape")


def value_span(bytes raw not None, array index not None, uint16_t number):
    """Return start and end of the first value of field `number`, trimmed. ValueError if there is none."""
    cdef Py_ssize_t start, end
    if _find(raw, index, number, &start, &end) != PLAIN_FIELD:
        return reference("switchboard.sip.fields", "value_span_in_python")(raw, index, number)
    return start, end


def top_via_span(bytes raw not None, array index not None):
    """Return start and end of the topmost Via value, however many share its line. ValueError: no Via."""
    cdef Py_ssize_t start, end
    cdef const unsigned char *data = <const unsigned char *>PyBytes_AS_STRING(raw)
    if _find(raw, index, VIA, &start, &end) != PLAIN_FIELD:
        return reference("switchboard.sip.fields", "top_via_span_in_python")(raw, index)
    end = first_value_end(data, start, end)
    trim(data, &start, &end)
    return start, end
