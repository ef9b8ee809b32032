// Package postgres is the shared retry queue: any number of replicas work on
// one PostgreSQL database.
//
// A nil error of Enqueue means that the transaction with message, body and
// deliveries is committed with synchronous_commit on: it survives a crash of
// the server, and with a synchronous standby the loss of its machine. What
// waits at the same time goes into one transaction and one round trip; one
// message that the server refuses doesn't spoil its neighbours'. After a
// connection was lost at the commit the server is asked what became of it; where
// it can't be asked the sender is told 451 though the message may be stored, and
// the delivery's id absorbs its next try.
//
// Leases are taken with SKIP LOCKED and fenced by a token; a replica that dies
// loses its leases when they run out. Bounds are soft: replicas see each
// other's mail at once, or within a second behind a pooler, which may give
// connections away after each transaction (PgBouncer's mode of that name).
//
// Unlike an embedded store this one is never given up: after a server's
// restart or failover the pool connects again, and what couldn't be written
// meanwhile was answered with an error.
package postgres
