package history

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
)

// Window is how many of the newest records a store's Find looks through one by
// one before it asks its index, which is slow just for the words that they are
// full of.
const Window = 2000

// Page is the answer of a store's Find while it is gathered. Records are numbered
// in the order in which they were written; a page goes down from the newest.
type Page struct {
	Query  Query
	Terms  []Term
	Found  []Record
	Looked int    // records that were read for it
	Last   int64  // the number of the last of them: the next ones are below it
	Next   string // the cursor for the page after this one, once there is one
}

// NewPage begins the page that the query asks for; ErrQuery where it can't be
// answered.
func NewPage(q Query) (*Page, error) {
	if err := q.Check(); err != nil {
		return nil, err
	}
	p := &Page{Query: q, Terms: q.Terms(), Found: make([]Record, 0, q.Size()), Last: 1 << 62}
	if q.After == "" {
		return p, nil
	}
	n, err := strconv.ParseInt(q.After, 10, 64)
	if err != nil || n < 1 {
		return nil, ErrCursor
	}
	p.Last = n
	return p, nil
}

// Looks are an engine's ways to look records up. Each adds to the page what it finds
// below p.Last, newest first, that fits the query's time and state.
type Looks interface {
	// Newest looks through the newest, so many of them.
	Newest(ctx context.Context, p *Page, most int) error
	// ByID looks through those whose id begins so.
	ByID(ctx context.Context, p *Page, prefix string) error
	// ByWords asks the index for p.Terms.
	ByWords(ctx context.Context, p *Page) error
}

// Find gathers the page: the newest records first, one by one, then those whose id
// a single word may be, then the index.
func (p *Page) Find(ctx context.Context, l Looks) ([]Record, string, error) {
	if len(p.Terms) == 0 {
		err := l.Newest(ctx, p, p.Query.Size()+1)
		return p.Found, p.Next, err
	}
	if err := l.Newest(ctx, p, Window); err != nil || p.Next != "" || p.Looked < Window {
		return p.Found, p.Next, err
	}
	if len(p.Terms) == 1 && p.Query.Address == "" {
		if err := l.ByID(ctx, p, p.Terms[0].Word); err != nil || len(p.Found) > 0 {
			return p.Found, p.Next, err
		}
	}
	err := l.ByWords(ctx, p)
	return p.Found, p.Next, err
}

// AddressTerms are the words of an address to look for; ErrQuery where it has none.
func AddressTerms(address string) ([]Term, error) {
	terms := Query{Address: address}.Terms()
	if len(terms) == 0 {
		return nil, fmt.Errorf("%w: there is no letter or digit to look for", ErrQuery)
	}
	return terms, nil
}

// Rows are a result of the columns n (the record's number), data (its JSON),
// waiting, dead and removed, as database/sql and pgx have it. Whoever asked closes it.
type Rows interface {
	Next() bool
	Scan(dest ...any) error
	Err() error
}

// Fill adds those of the rows to the page that fit the query, until it is full.
func (p *Page) Fill(rows Rows) error {
	for rows.Next() {
		n, r, err := ScanRecord(rows)
		if err != nil {
			return err
		}
		p.Looked++
		if p.Query.Fits(&r, p.Terms) {
			if len(p.Found) == cap(p.Found) {
				p.Next = strconv.FormatInt(p.Last, 10)
				return nil
			}
			r.Attempts = nil
			p.Found = append(p.Found, r)
		}
		p.Last = n
	}
	return wrapped(rows.Err())
}

// ScanRecord reads a row of Rows.
func ScanRecord(row interface{ Scan(dest ...any) error }) (n int64, r Record, err error) {
	var data []byte
	var is Counts
	if err := row.Scan(&n, &data, &is.Waiting, &is.Dead, &is.Removed); err != nil {
		return 0, r, wrapped(err)
	}
	if err := json.Unmarshal(data, &r); err != nil {
		return 0, r, fmt.Errorf("history: record %d: %w", n, err)
	}
	r.began = r.Counts()
	r.set(is)
	return n, r, nil
}

// One is the record of the rows, at most two, whose ids begin with id: ErrNotFound
// without any, ErrAmbiguous where both do and neither is it.
func One(rows Rows, id string) (Record, error) {
	var found []Record
	for rows.Next() {
		_, r, err := ScanRecord(rows)
		if err != nil {
			return Record{}, err
		}
		found = append(found, r)
	}
	switch err := rows.Err(); {
	case err != nil:
		return Record{}, wrapped(err)
	case len(found) == 0 || id == "":
		return Record{}, ErrNotFound
	case len(found) == 2 && found[0].ID != id:
		return Record{}, ErrAmbiguous
	}
	return found[0], nil
}

// Naming lists the numbers of those of the rows' records that name the address.
func Naming(rows Rows, address string) ([]int64, error) {
	var numbers []int64
	for rows.Next() {
		n, r, err := ScanRecord(rows)
		if err != nil {
			return nil, err
		}
		if r.Names(address) {
			numbers = append(numbers, n)
		}
	}
	return numbers, wrapped(rows.Err())
}

// NamingAttempts lists the numbers of those of the rows' attempts (columns n and
// data) that were for the address, and of those that can't be read.
func NamingAttempts(rows Rows, address string) ([]int64, error) {
	var numbers []int64
	for rows.Next() {
		var n int64
		var data []byte
		var a Attempt
		if err := rows.Scan(&n, &data); err != nil {
			return nil, wrapped(err)
		}
		if json.Unmarshal(data, &a) != nil || a.Names(address) {
			numbers = append(numbers, n)
		}
	}
	return numbers, wrapped(rows.Err())
}

// AddAttempts adds those in the rows' only column, data, to the record.
func (r *Record) AddAttempts(rows Rows) error {
	for rows.Next() {
		var data []byte
		a := Attempt{Message: r.ID}
		if err := rows.Scan(&data); err != nil {
			return wrapped(err)
		}
		if err := json.Unmarshal(data, &a); err != nil {
			return fmt.Errorf("history: an attempt of %s: %w", r.ID, err)
		}
		r.Attempts = append(r.Attempts, a)
	}
	return wrapped(rows.Err())
}

func wrapped(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("history: %w", err)
}

// SQL is the state as a condition on the columns waiting, dead, removed and result.
func (s State) SQL() string {
	switch s {
	case "":
		return ""
	case StateWaiting:
		return " AND waiting > 0"
	case StateDead:
		return " AND dead > 0"
	case StateRemoved:
		return " AND removed > 0"
	case StateFailed:
		return " AND result <> 'accepted'"
	case State(Accepted):
		return " AND result = 'accepted'"
	}
	// The index holds just what wasn't accepted. Check lets known words through only.
	return " AND result <> 'accepted' AND result = '" + string(s) + "'"
}
