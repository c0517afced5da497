#!/bin/sh
# phonenumbers 9.0.43 (PyPI), Python 3.11: it makes a stranger's mobile number of an extension with a phone-context.
#
# RFC 3966 §5.1.5: a context that is the beginning of a global number says where a local number is valid. To put it
# before the local number need not give a number that exists. Its example is 911 with "+1". phonenumbers does put it
# before, whatever the length, and nothing of the result says that it was made so. So the extension 101 of an office
# whose mobile numbers begin with +421 905 123 becomes a number that `is_valid_number` approves, and that rings
# somebody else; 911 becomes +1911. With a domain as the context it takes the country's code instead.
#
# Seen:   tel:101;phone-context=+421905123 is +421905123101, valid
#         tel:911;phone-context=+1 is +1911, not valid
#         tel:101;phone-context=office.example.com is +421101, not valid
# Exits with 0 while that is so, with 1 when it is otherwise. Uses no network but PyPI's.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --quiet --disable-pip-version-check phonenumbers==9.0.43
"$folder/venv/bin/python" - <<'PYTHON'
import sys

import phonenumbers

SEEN = {
    "tel:101;phone-context=+421905123": ("+421905123101", True),
    "tel:911;phone-context=+1": ("+1911", False),
    "tel:101;phone-context=office.example.com": ("+421101", False),
}


def read(uri: str) -> tuple[str, bool]:
    """The number in E.164, and whether it is said to be one that exists."""
    number = phonenumbers.parse(uri, "SK")
    written = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
    return written, phonenumbers.is_valid_number(number)


found = {uri: read(uri) for uri in SEEN}
for uri, (number, is_valid) in found.items():
    print(f"{uri} is {number}, {'valid' if is_valid else 'not valid'}")
sys.exit(found != SEEN)
PYTHON
