#!/bin/sh
# sipua 0.5.7 (PyPI, with sipmessage 0.7.1), Python 3.11: a BYE goes to the address-of-record, not to the Contact.
#
# A dialog that was made from an INVITE keeps the caller's Contact in `remote_uri`, as RFC 3261 §12.1.1 has it, but
# `Dialog.create_request` (so `Call.hangup`, too) takes the URI of the From instead. §12.2.1.1 has the Request-URI
# be the remote target. A proxy that record-routes hands such a BYE to each phone that is registered for the caller,
# and not to the phone of this call; where there is no proxy it goes to a host that need not be a phone at all.
#
# Seen:   BYE sip:alice@example.com, though the remote target is sip:alice@192.0.2.7:5062
# Exits with 0 while that is so, with 1 when it is otherwise.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --quiet --disable-pip-version-check sipua==0.5.7 sipmessage==0.7.1
"$folder/venv/bin/python" - <<'PYTHON'
import sys

import sipmessage
from sipua import Application, Dialog

invite = sipmessage.Request("INVITE", sipmessage.URI.parse("sip:bob@example.com"))
invite.via = []
invite.from_address = sipmessage.Address.parse("<sip:alice@example.com>;tag=a")
invite.to_address = sipmessage.Address.parse("<sip:bob@example.com>")
invite.call_id = "a84b4c76e66710"
invite.cseq = sipmessage.CSeq(sequence=1, method="INVITE")
invite.contact = [sipmessage.Address.parse("<sip:alice@192.0.2.7:5062>")]

dialog = Dialog.create_uas(dialog_layer=Application().dialog_layer, request=invite)
bye = dialog.create_request("BYE")
print(f"BYE {bye.uri}, though the remote target is {dialog.remote_uri}")
as_seen = str(bye.uri) == "sip:alice@example.com" and str(dialog.remote_uri) == "sip:alice@192.0.2.7:5062"
sys.exit(not as_seen)
PYTHON
