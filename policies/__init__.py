"""The policy pack: judges what a program really declares, with the functions that judged its topology.

    __main__.py     assembles the pack; the only module that may build one (it starts a server and never returns)
    declared.py     a resource as declared: plain values, and what is not known yet
    facts.py        declared resources to the facts that the topology gives, per cloud
    expected.py     the stack's topology and plan, from its settings
    venue.py        facts and plan together: what rules over a stack are asked about
    rule.py         what a rule is, and the two decorators that make one
    enforcing.py    rules to the SDK's policies; findings grouped by cause
    tokens.py       type tokens, generated from the SDK's classes by scripts/policies
    rules/          the rules, one file by subject

Objectives come from the topology, places only from resources; configuration may tighten, never loosen. Nothing here
imports a cloud's SDK, which would cost each run seconds. A new rule goes into the file of its subject; a new type of
resource into the tables of `facts`.
"""
