"""Typical messages, as phones send them."""

_SDP = b"""v=0
o=lukas 2890844526 2890844526 IN IP4 10.0.0.11
s=-
c=IN IP4 10.0.0.11
t=0 0
m=audio 49172 RTP/AVP 0 8 101
a=rtpmap:0 PCMU/8000
a=rtpmap:101 telephone-event/8000
""".replace(b"\n", b"\r\n")

_HEAD = b"""INVITE sip:lenka@10.0.0.1 SIP/2.0
Via: SIP/2.0/UDP 10.0.0.11:5060;branch=z9hG4bK-524287-1---abcdef0123456789;rport
Max-Forwards: 70
Contact: <sip:lukas@10.0.0.11:5060>
To: <sip:lenka@10.0.0.1>
From: "Lukas" <sip:lukas@10.0.0.1>;tag=ab12cd34
Call-ID: CALLID
CSeq: 1 INVITE
Allow: INVITE, ACK, CANCEL, BYE, NOTIFY, REFER, MESSAGE, OPTIONS, INFO, SUBSCRIBE
Content-Type: application/sdp
User-Agent: phone 1.0
Content-Length: %d

""".replace(b"\n", b"\r\n")

INVITE = _HEAD % len(_SDP) + _SDP
"""Of 700 octets; CALLID may be replaced."""

RESPONSE = b"""SIP/2.0 180 Ringing
Via: SIP/2.0/UDP 10.0.0.1:5060;branch=z9hG4bKsb0.a1b2c3.17.5f3e2d1c
Via: SIP/2.0/UDP 10.0.0.11:5060;branch=z9hG4bK-524287-1---abcdef0123456789;rport=5060;received=10.0.0.11
Record-Route: <sip:10.0.0.1;lr>
Contact: <sip:lenka@10.0.0.12:5060>
To: <sip:lenka@10.0.0.1>;tag=99fe
From: "Lukas" <sip:lukas@10.0.0.1>;tag=ab12cd34
Call-ID: CALLID
CSeq: 1 INVITE
User-Agent: phone 1.0
Content-Length: 0

""".replace(b"\n", b"\r\n")
