"""Records for a router's engine: a row of fields, each with its length in two octets before it (`_native/facts.pxi`).

None instead of a record means that the text is odd: then the whole message is left to the reference.
"""

Record = bytes | None


def make_record(*fields: bytes | str) -> bytes:
    """Return the record of these fields. OverflowError for one of 64 KB."""
    record = b""
    for each in fields:
        octets = each if isinstance(each, bytes) else each.encode("utf-8", "surrogateescape")
        record += len(octets).to_bytes(2, "big") + octets
    return record
