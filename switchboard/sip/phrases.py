"""The reason phrases that we write ourselves, as RFC 3261 §21 and its extensions word them."""

from typing import Final

REASON_PHRASES: Final = {
    100: "Trying",
    200: "OK",
    400: "Bad Request",
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not Found",
    407: "Proxy Authentication Required",
    405: "Method Not Allowed",
    408: "Request Timeout",
    416: "Unsupported URI Scheme",
    420: "Bad Extension",
    423: "Interval Too Brief",
    430: "Flow Failed",
    439: "First Hop Lacks Outbound Support",
    440: "Max-Breadth Exceeded",
    480: "Temporarily Unavailable",
    481: "Call/Transaction Does Not Exist",
    482: "Loop Detected",
    483: "Too Many Hops",
    487: "Request Terminated",
    489: "Bad Event",
    500: "Server Internal Error",
    502: "Bad Gateway",
    503: "Service Unavailable",
    505: "Version Not Supported",
    513: "Message Too Large",
    604: "Does Not Exist Anywhere",
}
