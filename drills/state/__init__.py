"""Drills of the state beside consensus: break a store, a queue or an active-passive engine, and look at what is left.

keepers     who is primary, who works, who leads the queue, at this moment
fault       the ways to break a host, and what shows that it is broken
faults      what is broken, and what the model says of it
history     what clients were told against what the ledger, each of its copies and each member have
drill       one fault under load, measured and checked
"""
