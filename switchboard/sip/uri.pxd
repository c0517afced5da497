from switchboard.sip.grammar cimport find_param
