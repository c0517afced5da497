"""Media where it must be ours: the NG protocol of rtpengine, and what of SDP a switchboard has to know."""
