from switchboard.core.proxy_commands cimport ProxyTurn
from switchboard.core.proxy cimport Proxy

cpdef list take_in(Proxy proxy, object items, ProxyTurn turn)
cpdef object hand_out(ProxyTurn turn, object requests, object responses)
