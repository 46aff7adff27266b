"""`embedded:`: a broker that is started on this machine, and the transport to it."""
