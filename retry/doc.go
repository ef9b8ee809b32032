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
// Dead, Release and Split settle the lease; a worker that dies leaves it to run
// out. A delivery whose life is used up gets a last attempt and becomes a dead
// letter then; a pause and an open breaker spend no attempts, but time goes on,
// and at its end they make it one without. Replay gives a dead letter a second
// life as long as the first.
//
// Nothing here follows a clock that is set while the program runs: callers say
// how long from now, the queue says when, and a Clock makes now steady.
//
// The engines (retry/sqlite, retry/postgres) know nothing of the policy and
// pass one suite, retry/queuetest. Policy and Breaker are plain values without
// clock or lock; Worker and Breakers bring them to life.
package retry
