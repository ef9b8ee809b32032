// Package retry keeps what can't be delivered now: the queue's interface, the
// policy that says when to try again, and the worker that does.
//
// After Enqueue returned nil a delivery is durable and ends in one of three
// ways only: acknowledged by its webhook, a dead letter that the operator can
// list and replay, or deleted by the operator. Delivery is at least once and
// unordered: an attempt whose outcome nobody knows (a crash between the 2xx and
// its acknowledgement, a lost connection) is made again with the same id.
//
// A delivery's life: Enqueue makes it due. Lease gives it to one worker for a
// while, with a token that is stale as soon as anybody else has it. Ack, Retry,
// Dead and Release settle the lease; a worker that dies leaves it to run out.
// When the delivery's age is used up it becomes a dead letter, paused or not:
// a pause and an open breaker spend no attempts, but time goes on. Replay gives
// a dead letter a second life as long as the first.
//
// The engines (retry/sqlite, retry/postgres) know nothing of the policy and
// pass one suite, retry/queuetest. Policy and Breaker are plain values without
// clock or lock; Worker and Breakers bring them to life.
package retry
