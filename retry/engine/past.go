package engine

import (
	"encoding/json"
	"slices"
	"time"

	"postern/gateway/text"
	"postern/retry"
)

// Past is what a delivery that is stored now takes over from before: one that comes
// from a split goes on with the life and the attempts of the delivery that was split.
type Past struct {
	Expires  int64 // when its life ends, in milliseconds of Unix time
	Attempts int   // made so far
	Base     int   // of these, so many don't count for the backoff: they were before a replay
	History  int64 // row of the delivery whose recorded attempts are its own too, 0 none
}

// End is when a delivery's life ends that is stored now, in milliseconds of Unix time.
func (p Past) End(d retry.NewDelivery, now time.Time) int64 {
	if d.Life > 0 {
		return min(p.Expires, Millis(now.Add(d.Life)))
	}
	return p.Expires
}

// NewRow is a new delivery's columns.
type NewRow struct {
	Recipients           string
	State, Attempts      int
	Due, Token, Sum      int64
	Expires              int64
	LastStatus           int
	LastError, DeadCause string
}

// NewRowOf fills in the columns of a delivery that is stored now.
func NewRowOf(d retry.NewDelivery, p Past, now time.Time) (NewRow, error) {
	rcpt, err := json.Marshal(d.Recipients)
	if err != nil {
		return NewRow{}, err
	}
	r := NewRow{Recipients: string(rcpt), State: StateDue, Attempts: p.Attempts, Due: Millis(now.Add(d.Wait)), Expires: p.End(d, now), Token: FirstToken(now),
		Sum: SealDelivery(d.ID, d.Endpoint, string(rcpt)), DeadCause: d.Dead}
	if d.Dead != "" {
		r.State = StateDead
	}
	if d.First != nil {
		r.Attempts, r.LastStatus, r.LastError = r.Attempts+1, d.First.Status, text.Clip(d.First.Error, ErrorMax)
	}
	return r, nil
}

// NewLease makes a new delivery's row one that is leased as it is stored, and returns
// the lease: as it would be read from the row, its body aside.
func NewLease(m retry.Message, d retry.NewDelivery, r *NewRow, p Past, now time.Time) retry.Lease {
	r.State = StateLeased
	l := retry.Lease{Token: r.Token, Tries: r.Attempts - p.Base, Envelope: m.Envelope}
	l.ID, l.MessageID, l.Key, l.Endpoint, l.Recipients = d.ID, m.ID, m.Key, d.Endpoint, slices.Clone(d.Recipients)
	l.From, l.Subject, l.Size, l.State = m.From, text.Clip(m.Subject, SubjectMax), m.Body.Size, retry.Leased
	l.Received, l.Expires, l.DueAt = FromMillis(Millis(m.Received)), FromMillis(r.Expires), FromMillis(r.Due)
	l.Attempts, l.LastStatus, l.LastError = r.Attempts, r.LastStatus, r.LastError
	l.Left = l.Expires.Sub(now)
	return l
}

// CountNew counts new deliveries that wait and those that are dead already.
func CountNew(ds []retry.NewDelivery) (live, dead int) {
	for _, d := range ds {
		if d.Dead != "" {
			dead++
		} else {
			live++
		}
	}
	return live, dead
}
