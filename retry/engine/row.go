package engine

import (
	"encoding/json"
	"time"

	"postern/retry"
)

// InfoColumns are what a Row reads, of delivery d and message m.
const InfoColumns = `d.n, d.id, d.endpoint, d.recipients, d.state, d.leased_from, d.lease_until_ms, d.due_ms, d.expires_ms, d.attempts, d.reason,
	d.last_status, d.last_error, m.id, m.key, m.received_ms, m.sender, m.subject, m.size`

// Row is a delivery as InfoColumns give it.
type Row struct {
	N                             int64 // of the delivery's row
	i                             retry.Info
	recipients                    string
	state, leasedFrom             int
	lease, due, expires, received int64
}

// Dest is where InfoColumns are scanned to.
func (r *Row) Dest() []any {
	i := &r.i
	return []any{&r.N, &i.ID, &i.Endpoint, &r.recipients, &r.state, &r.leasedFrom, &r.lease, &r.due, &r.expires, &i.Attempts, &i.Reason,
		&i.LastStatus, &i.LastError, &i.MessageID, &i.Key, &r.received, &i.From, &i.Subject, &i.Size}
}

// Info is the delivery at a time: a lease that ran out shows as what it falls
// back to.
func (r *Row) Info(now time.Time) retry.Info {
	if r.state == StateLeased && r.lease <= Millis(now) {
		if r.state = StateDue; r.leasedFrom == StateDead {
			r.state = StateDead
		}
	}
	r.i.State = [...]retry.State{retry.Due, retry.Leased, retry.Dead}[min(max(r.state, 0), StateDead)]
	r.i.DueAt, r.i.Expires, r.i.Received = FromMillis(r.due), FromMillis(r.expires), FromMillis(r.received)
	_ = json.Unmarshal([]byte(r.recipients), &r.i.Recipients) // a damaged list shows none
	return r.i
}

// Lapse ends a lease whose outcome nobody stored: its time ran out, or its owner ended.
// In a row that isn't leased leased_from has no other use: 1 marks what is due after its
// lease lapsed, until it is leased again.
const Lapse = "state = CASE leased_from WHEN 2 THEN 2 ELSE 0 END, leased_from = CASE leased_from WHEN 2 THEN 2 ELSE 1 END, lease_until_ms = 0"

// LeaseColumns come after InfoColumns where a delivery is leased.
const LeaseColumns = InfoColumns + ", d.token, d.base, d.sum, m.n, m.sum, m.sha256, m.envelope"

// LeaseRow is a delivery as LeaseColumns give it.
type LeaseRow struct {
	Row
	Message       int64 // of the message's row
	SHA256        []byte
	token         int64
	base          int
	dsum, msum    int64
	envelopeBytes []byte
}

// Dest is where LeaseColumns are scanned to.
func (r *LeaseRow) Dest() []any {
	return append(r.Row.Dest(), &r.token, &r.base, &r.dsum, &r.Message, &r.msum, &r.SHA256, &r.envelopeBytes)
}

// Lease is the lease, its body aside.
func (r *LeaseRow) Lease(now time.Time) retry.Lease {
	l := retry.Lease{Info: r.Info(now), Token: r.token, Envelope: r.envelopeBytes}
	l.Tries, l.Left = l.Attempts-r.base, l.Expires.Sub(now)
	l.Damaged = r.dsum != SealDelivery(l.ID, l.Endpoint, r.recipients) || r.msum != SealMessage(l.MessageID, l.Key, r.SHA256, r.envelopeBytes) ||
		json.Unmarshal([]byte(r.recipients), &l.Recipients) != nil
	return l
}

// Ref names a stored body.
func Ref(id string, size int64, sha []byte) retry.BodyRef {
	ref := retry.BodyRef{ID: id, Size: size}
	copy(ref.SHA256[:], sha)
	return ref
}

// AttemptColumns are what AttemptRow reads.
const AttemptColumns = "n, at_ms, status, took_ns, reason, error"

// AttemptRow is an attempt as AttemptColumns give it.
type AttemptRow struct {
	a        retry.PastAttempt
	at, took int64
}

// Dest is where AttemptColumns are scanned to.
func (r *AttemptRow) Dest() []any {
	return []any{&r.a.N, &r.at, &r.a.Status, &r.took, &r.a.Reason, &r.a.Error}
}

// Attempt is what was scanned.
func (r *AttemptRow) Attempt() retry.PastAttempt {
	r.a.At, r.a.Took = FromMillis(r.at), time.Duration(r.took)
	return r.a
}

// Made is nil for the zero attempt: none was made.
func Made(a retry.Attempt) *retry.Attempt {
	if a == (retry.Attempt{}) {
		return nil
	}
	return &a
}

// EndpointColumns are what EndpointRow reads.
const EndpointColumns = "name, paused, until_ms, why, breaker, resumes"

// EndpointRow is an endpoint as EndpointColumns give it.
type EndpointRow struct {
	e     retry.EndpointState
	until int64
}

// Dest is where EndpointColumns are scanned to.
func (r *EndpointRow) Dest() []any {
	return []any{&r.e.Endpoint, &r.e.Paused, &r.until, &r.e.Why, &r.e.Breaker, &r.e.Resumes}
}

// State is the endpoint's at a time: a pause that is over is none.
func (r *EndpointRow) State(now time.Time) retry.EndpointState {
	e := r.e
	if e.Paused && r.until > 0 && r.until <= Millis(now) {
		e.Paused, e.Why = false, ""
	} else {
		e.PausedUntil = FromMillis(r.until)
	}
	return e
}

// Held lists the endpoints that nobody can ask now.
func Held(all []retry.EndpointState, req retry.LeaseRequest) []string {
	names := []string{}
	for _, e := range all {
		if e.Paused || req.Held != nil && req.Held(e.Endpoint) {
			names = append(names, e.Endpoint)
		}
	}
	return names
}

// NewStats counts nothing yet.
func NewStats(b Bounds) retry.Stats {
	return retry.Stats{MaxBytes: b.MaxBytes, MaxMessages: b.MaxMessages, Endpoints: map[string]retry.Counts{},
		OldestOf: map[string]time.Time{}, DeadByReason: map[string]int64{}, DeadOf: map[retry.DeadKind]int64{}}
}

// CountDead adds n dead letters to what is told of their reasons.
func CountDead(s *retry.Stats, endpoint, reason string, n int64) {
	s.DeadByReason[reason] += n
	s.DeadOf[retry.DeadKind{Endpoint: endpoint, Reason: reason}] += n
}

// Count adds n deliveries of a stored state to an endpoint's counts.
func Count(s *retry.Stats, endpoint string, state int, n int64) {
	c := s.Endpoints[endpoint]
	switch state {
	case StateDue:
		c.Due += n
	case StateLeased:
		c.Leased += n
	case StateDead:
		c.Dead += n
	}
	s.Endpoints[endpoint] = c
}
