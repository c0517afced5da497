from switchboard.proxy.commands cimport ProxyTurn
from switchboard.proxy.proxy cimport Proxy

cpdef list take_in(Proxy proxy, object items, ProxyTurn turn)
cpdef object hand_out(ProxyTurn turn, object requests, object responses)
