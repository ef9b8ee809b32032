package history

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"

	"postern/gateway/text"
)

// Limits of a query.
const (
	DefaultLimit = 50
	MaxLimit     = 500
	maxWords     = 12 // of a query; more don't narrow it any further
	maxWord      = 64 // octets of a word that is kept
)

// Query says which records are wanted; a zero field wants all.
type Query struct {
	// Words must all be in the record's addresses, subject, Message-ID, ids or
	// client; the last one may be the beginning of a word.
	Words string
	// Address is a part of an address of the envelope or who signed in.
	Address string
	Since   time.Time // of Record.At
	Until   time.Time
	State   State
	After   string // a cursor from Find
	Limit   int    // at most MaxLimit; 0 is DefaultLimit
}

// State narrows records to what an operator looks for.
type State string

// The states: a result of the transaction, or what became of it since.
const (
	StateWaiting State = "waiting" // something of it is in the queue
	StateDead    State = "dead"    // something of it is a dead letter
	StateRemoved State = "removed" // something of it left the queue without arriving
	StateFailed  State = "failed"  // refused, deferred, aborted or a failed AUTH
)

// States is each value that a Query takes.
func States() []State {
	all := []State{StateWaiting, StateDead, StateRemoved, StateFailed}
	for _, r := range Results() {
		all = append(all, State(r))
	}
	return all
}

// ErrQuery is returned for a query that can't be answered.
var ErrQuery = errors.New("history: unusable query")

// Check refuses what no store can answer.
func (q Query) Check() error {
	switch {
	case q.State != "" && !slices.Contains(States(), q.State):
		return fmt.Errorf("%w: state %q is none of %v", ErrQuery, text.Clip(string(q.State), 40), States())
	case q.Limit < 0 || q.Limit > MaxLimit:
		return fmt.Errorf("%w: a limit is 1 to %d", ErrQuery, MaxLimit)
	case strings.TrimSpace(q.Words) != "" && joined(q.Words) == "", strings.TrimSpace(q.Address) != "" && joined(q.Address) == "":
		return fmt.Errorf("%w: there is no letter or digit to look for", ErrQuery)
	}
	return nil
}

// Terms are what must all be found. What has no letter or digit at its borders
// only, such as an address or a Message-ID, is one term; it and the last word
// may go on.
func (q Query) Terms() []Term {
	var terms []Term
	for _, field := range []string{q.Words, q.Address} {
		chunks := strings.Fields(field)
		for i, c := range chunks[:min(len(chunks), maxWords)] {
			if w := joined(c); w != "" {
				terms = append(terms, Term{Word: w, Prefix: i == len(chunks)-1 || strings.Contains(w, joint)})
			}
		}
	}
	return terms
}

// Term is one word of a query.
type Term struct {
	Word   string
	Prefix bool // the beginning of a word is enough
}

// Fits reports whether the record is what the query wants.
func (q Query) Fits(r *Record, terms []Term) bool { return q.fits(r) && has(r, terms) }

// has reports whether all terms are in the record or begin its id.
func has(r *Record, terms []Term) bool {
	if len(terms) == 0 {
		return true
	}
	words := append(r.Words(), strings.ToLower(r.ID))
	return !slices.ContainsFunc(terms, func(t Term) bool {
		return !slices.ContainsFunc(words, func(w string) bool { return w == t.Word || t.Prefix && strings.HasPrefix(w, t.Word) })
	})
}

// fits is Fits without the terms.
func (q Query) fits(r *Record) bool {
	return (q.Since.IsZero() || !r.At.Before(q.Since)) && (q.Until.IsZero() || r.At.Before(q.Until)) && q.State.Fits(r) && q.AddressFits(r)
}

// AddressFits reports whether one of the record's addresses has the part that
// is asked for.
func (q Query) AddressFits(r *Record) bool {
	part := strings.ToLower(strings.TrimSpace(q.Address))
	return part == "" || slices.ContainsFunc(r.addresses(), func(a string) bool {
		return slices.ContainsFunc(text.Spellings(a), func(s string) bool { return strings.Contains(strings.ToLower(s), part) })
	})
}

// Fits reports whether the record is in the state.
func (s State) Fits(r *Record) bool {
	switch s {
	case "":
		return true
	case StateWaiting:
		return r.Waiting > 0
	case StateDead:
		return r.Dead > 0
	case StateRemoved:
		return r.Removed > 0
	case StateFailed:
		return r.Result != Accepted
	}
	return r.Result == Result(s)
}

// Word is the state as one of a record's words; "" where it can change.
func (s State) Word() string {
	if slices.Contains(Results(), Result(s)) {
		return joint + strings.ReplaceAll(string(s), "-", joint)
	}
	return ""
}

// addresses are those that a person has in the record.
func (r *Record) addresses() []string {
	all := make([]string, 0, len(r.To)+2)
	all = append(all, r.From)
	for _, to := range r.To {
		all = append(all, to.Address)
	}
	all = append(all, r.Author...)
	return append(all, r.Auth)
}

// Names reports whether the record names exactly this address.
func (r *Record) Names(address string) bool { return names(r.addresses(), address) }

// joint stands in a word for what isn't a letter or a digit; it is a letter
// that nobody writes, so that full-text indexes take the word for one.
const joint = "\u02ad"

// joined makes one word of a run without blanks: "<Ann.B@x.example>" is
// found as a whole, which is rarer than its parts.
func joined(chunk string) string { return join(appendParts(nil, chunk)) }

func join(parts []string) string { return text.Clip(strings.Join(parts, joint), maxWord) }

// appendParts adds the runs of letters and digits, in lower case.
func appendParts(words []string, chunk string) []string {
	for w := range strings.FieldsFuncSeq(strings.ToLower(chunk), divides) {
		words = append(words, text.Clip(w, maxWord))
	}
	return words
}

// divides reports whether a character is no part of a word.
func divides(c rune) bool { return !unicode.IsLetter(c) && !unicode.IsNumber(c) }

// Words are what the record can be found by, its id aside: in lower case,
// letters and digits alone.
func (r *Record) Words() []string {
	words := make([]string, 0, 40)
	add := func(s string) {
		for chunk := range strings.FieldsSeq(s) {
			words = appendWords(words, chunk)
		}
	}
	last := ""
	for i, a := range r.addresses() {
		if i > 0 && a == r.From { // the author, mostly
			continue
		}
		local, domain, ok := strings.Cut(a, "@")
		switch {
		case ok && domain == last && !strings.ContainsFunc(a, unicode.IsSpace): // the domain's words are there
			words = append(appendParts(words, local), joined(a))
		default:
			add(a)
			if ok {
				words, last = append(words, joined(domain)), domain
			}
		}
		words = appendOthers(words, a, local)
	}
	for _, s := range []string{r.Subject, r.MessageID, r.Client.IP, r.Client.Name, r.Client.Hello} {
		add(s)
	}
	for i := range r.Attempts {
		add(r.Attempts[i].Delivery)
	}
	for _, id := range r.Queued {
		add(id)
	}
	return append(words, State(r.Result).Word())
}

// appendWords adds a run without blanks, and its parts.
func appendWords(words []string, chunk string) []string {
	before := len(words)
	words = appendParts(words, chunk)
	if parts := words[before:]; len(parts) > 1 {
		words = append(words, join(parts))
	}
	return words
}

// ErrCursor is returned for an After that Find didn't give.
var ErrCursor = fmt.Errorf("%w: after is no cursor from an earlier answer", ErrQuery)

// Size is how many records the query wants at most.
func (q Query) Size() int {
	if q.Limit == 0 {
		return DefaultLimit
	}
	return q.Limit
}
