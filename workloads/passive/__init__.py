"""The reference active-passive engine: one member works while it holds the lease, the others follow.

    gateway     HTTP on every member: an order goes into the queue, and is answered once the ledger has its outcome
    queue       NATS JetStream: orders in one sequence, kept while nobody can carry them out
    lease       etcd: who works, and the token that fences everyone before
    ledger      PostgreSQL: the applied sequence and its effects in one transaction, `WHERE epoch = :token`
    worker      follows the ledger; with the lease, carries orders out from the queue
    settings    what one process is told

The books are `workloads.engine.state`: a batch of orders is carried out as a block is, so every member that follows the
ledger has the same books, with the same hash.
"""
