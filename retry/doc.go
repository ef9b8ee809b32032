// Package retry keeps what can't be delivered now: the queue's interface, the
// policy that says when to try again, and the worker that does.
//
// After Enqueue returned nil a delivery is durable and ends in one of three
// ways only: acknowledged by its webhook, a dead letter that the operator can
// list and replay, or deleted by the operator. Delivery is at least once.
package retry
