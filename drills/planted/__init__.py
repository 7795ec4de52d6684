"""Wrong variants of what a venue runs, planted on purpose: the drills must catch each, or they prove nothing.

    engine      the matching engine with one of its parts exchanged: `python -m drills.planted.engine VARIANT …`
    unsynced    any program whose synced writes are not: `python -m drills.planted.unsynced COMMAND…`
    known       every variant: what is wrong with it, where it is planted, which faults are to catch it
    planting    puts a variant into a running lab and takes it out again
    hunting     drills a variant until it is caught

No program of the project knows of them: a variant is another command or another file of a service of a lab, or a
function exchanged in the drill's own process. When to add one: a mistake that somebody could make, and that the drills
would have to see.
"""
