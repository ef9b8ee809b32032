// Package history is what became of each message: one record for every end of
// an SMTP transaction, accepted or refused, with the attempts to deliver it.
//
// It is for people who ask what happened, and never in the way of mail: a
// Recorder takes records without waiting, writes them in batches, and drops and
// counts what the store can't take. A crash loses at most the last second of
// it. Nothing is decided by it; the queue alone knows what must be delivered.
package history

import (
	"context"
	"errors"
	"time"
)

// AnswerMax is how many octets of a failing webhook's answer are kept.
const AnswerMax = 2 << 10

// Result is how a transaction ended for the client.
type Result string

// The results of a transaction.
const (
	Accepted   Result = "accepted"    // 2xx: the message is ours or delivered
	Deferred   Result = "deferred"    // 4xx: the sender keeps it
	Refused    Result = "refused"     // 5xx: the sender's bounce
	AuthFailed Result = "auth-failed" // a failed AUTH; there is no message
	Aborted    Result = "aborted"     // the client went without an answer to its message
)

// Results is each of them.
func Results() []Result { return []Result{Accepted, Deferred, Refused, AuthFailed, Aborted} }

// Record is the end of one transaction. Its JSON form is the API's; fields are
// added, never changed.
type Record struct {
	ID        string      `json:"id"`                   // of the message; sorts by time
	At        time.Time   `json:"at"`                   // when the client was answered
	TookMS    int64       `json:"took_ms"`              // from the last octet to the answer
	Client    Client      `json:"client"`               // who connected
	TLS       string      `json:"tls,omitempty"`        // the version, "" in the clear
	Auth      string      `json:"auth,omitempty"`       // who signed in, or tried to
	From      string      `json:"from"`                 // reverse-path, "" for the null sender
	Author    []string    `json:"author,omitempty"`     // the addresses of the From field
	To        []Recipient `json:"to"`                   // each RCPT of the transaction
	Size      int64       `json:"size"`                 // octets of DATA
	MessageID string      `json:"message_id,omitempty"` // of the header, without its brackets
	Subject   string      `json:"subject,omitempty"`
	Sender    *Sender     `json:"sender,omitempty"` // nil: not checked
	Result    Result      `json:"result"`
	Reply     string      `json:"reply"`             // as the client read it
	Waiting   int         `json:"waiting,omitempty"` // deliveries that were queued and aren't settled yet
	Dead      int         `json:"dead,omitempty"`    // deliveries that became dead letters
	Removed   int         `json:"removed,omitempty"` // deliveries that left the queue without arriving: an operator deleted them
	Queued    []string    `json:"queued,omitempty"`  // the webhook-ids of deliveries that were queued before any attempt
	Repeats   string      `json:"repeats,omitempty"` // the message whose deliveries are in the queue already: the sender came again
	Attempts  []Attempt   `json:"attempts"`          // oldest first; those that aren't queued came before the reply

	began Counts // as it was written; nothing of it was settled yet
}

// Client is who connected.
type Client struct {
	IP    string `json:"ip,omitempty"` // "" for a unix socket
	Name  string `json:"name,omitempty"`
	Hello string `json:"helo,omitempty"`
}

// Recipient is one RCPT and its answer.
type Recipient struct {
	Address string `json:"address"`
	Reply   string `json:"reply,omitempty"`
}

// Sender is the verdict on who sent it, in short.
type Sender struct {
	Verified bool   `json:"verified"`
	Reason   string `json:"reason"`
}

// Attempt is one POST to one endpoint, or what stood in its way.
type Attempt struct {
	Message  string    `json:"-"`
	Delivery string    `json:"delivery"` // its webhook-id
	Endpoint string    `json:"endpoint"`
	To       []string  `json:"to"`
	At       time.Time `json:"at"`
	N        int       `json:"n"`
	Queued   bool      `json:"queued"`           // out of the queue; else while the sender waited
	Status   int       `json:"status,omitempty"` // HTTP status, 0 where none came
	Reason   string    `json:"reason"`
	TookMS   int64     `json:"took_ms"`
	Error    string    `json:"error,omitempty"`
	Answer   string    `json:"answer,omitempty"` // the first octets of a failing answer's body
	// Settles says what the attempt ended, for a delivery that was waiting.
	Settles Settlement `json:"settles,omitempty"`
	By      string     `json:"by,omitempty"`       // who did it, of what an operator did
	Parts   int        `json:"parts,omitempty"`    // how many deliveries it became, of one that is Divided
	WasDead bool       `json:"was_dead,omitempty"` // it was a dead letter, of one that was Deleted
}

// ErrNotFound is returned when no record has an id.
var ErrNotFound = errors.New("history: no such message; it may be older than POSTERN_HISTORY keeps")

// ErrAmbiguous is returned when several records begin with a prefix.
var ErrAmbiguous = errors.New("history: several messages begin with this id, give more of it")

// Store keeps records. Its methods are safe for concurrent use.
type Store interface {
	// Write keeps a batch, all of it or none.
	Write(ctx context.Context, batch Batch) error
	// Find returns what fits, newest first, and a cursor for the next page, ""
	// where there is none. The records come without their attempts.
	Find(ctx context.Context, q Query) ([]Record, string, error)
	// Get returns one record with all of its attempts, by its id or a unique
	// prefix of it; ErrNotFound, ErrAmbiguous.
	Get(ctx context.Context, id string) (Record, error)
	// Forget removes every record that names the address, and counts them. What
	// ended before isn't written any more, whoever is about to Write it.
	Forget(ctx context.Context, address string) (int, error)
	// Prune removes what is older than before, and what is oldest while the
	// store takes more octets than its bound.
	Prune(ctx context.Context, before time.Time) error
	// Unsettled lists the records of which something waits or is a dead letter,
	// in the order of their numbers above after.
	Unsettled(ctx context.Context, after int64, limit int) ([]Standing, error)
	Close() error
}

// Batch is what is written at once.
type Batch struct {
	Records  []Record
	Attempts []Attempt // out of the queue, of earlier records
	// Corrections set records right that still stand as they are said to.
	Corrections []Correction
}

// Len is how many things are in it.
func (b Batch) Len() int { return len(b.Records) + len(b.Attempts) + len(b.Corrections) }

// recordOctets is what a record or an attempt takes besides its texts.
const recordOctets = 400

// weight is about how many octets of memory a record takes.
func (r *Record) weight() int {
	n := recordOctets + len(r.From) + len(r.Subject) + len(r.MessageID) + len(r.Reply) + len(r.Client.Name) + len(r.Client.Hello)
	for _, a := range r.Author {
		n += 16 + len(a)
	}
	for i := range r.To {
		n += 32 + len(r.To[i].Address) + len(r.To[i].Reply)
	}
	for i := range r.Attempts {
		n += r.Attempts[i].weight()
	}
	for _, id := range r.Queued {
		n += 16 + len(id)
	}
	return n
}

func (a *Attempt) weight() int {
	n := recordOctets + len(a.Error) + len(a.Answer)
	for _, to := range a.To {
		n += 16 + len(to)
	}
	return n
}
