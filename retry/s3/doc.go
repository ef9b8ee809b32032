// Package s3 keeps the queue's large bodies in an object store with the S3 API:
// Amazon's, or any other.
//
// Put returns nil once the service has answered 200 with the SHA-256 that we
// computed, or, where it answers none, once the body was read back and is the
// same. Open gives a body whose octets were verified as a whole: they are copied
// to a file first, so that an attempt that has begun doesn't need the service any
// more, and nothing holds a large body in memory. A body that the service
// doesn't have, in a folder that is ours, is retry.ErrCorrupt; whatever else goes
// wrong (the network, a rotated key, another bucket) is engine.ErrBodiesAway and
// passes.
//
// While the service fails it is tried once a second, and who asks in between is
// told at once: senders must not wait for what is known. Names are never used
// twice and nothing is listed but by the sweep.
package s3
