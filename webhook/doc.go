// Package webhook knows the endpoints: which of them a recipient goes to, how
// a delivery is POSTed and signed, and what the answer means.
//
// Send always returns an Outcome. A transient fault is Deferred, never
// Rejected: only an answer that nobody gives by accident rejects mail.
package webhook
