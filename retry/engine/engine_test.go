package engine

import (
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"postern/retry"
)

var now = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func TestRowShowsWhatALeaseFallsBackTo(t *testing.T) {
	for _, c := range []struct {
		state, from int
		until       time.Time
		want        retry.State
	}{
		{StateDue, StateDue, time.Time{}, retry.Due},
		{StateDead, StateDue, time.Time{}, retry.Dead},
		{StateLeased, StateDue, now.Add(time.Second), retry.Leased},
		{StateLeased, StateDue, now, retry.Due},
		{StateLeased, StateDead, now, retry.Dead},
		{7, StateDue, time.Time{}, retry.Dead},
		{-1, StateDue, time.Time{}, retry.Due},
	} {
		r := Row{state: c.state, leasedFrom: c.from, lease: Millis(c.until), recipients: `["a@b"]`}
		if got := r.Info(now); got.State != c.want || len(got.Recipients) != 1 {
			t.Errorf("state %d from %d until %v: %+v, want %s", c.state, c.from, c.until, got, c.want)
		}
	}
}

// TestSeals: whatever a delivery depends on, changed, makes the lease damaged.
func TestSeals(t *testing.T) {
	whole := func() *LeaseRow {
		r := &LeaseRow{Row: Row{recipients: `["a@b"]`, expires: Millis(now.Add(time.Hour))}, base: 2, SHA256: make([]byte, 32), envelopeBytes: []byte(`{}`)}
		r.i = retry.Info{ID: "d", Endpoint: "e", MessageID: "m", Key: "k", Attempts: 5}
		r.dsum, r.msum = SealDelivery("d", "e", `["a@b"]`), SealMessage("m", "k", r.SHA256, r.envelopeBytes)
		return r
	}
	if l := whole().Lease(now); l.Damaged || l.Tries != 3 || l.Left != time.Hour {
		t.Fatalf("%+v", l)
	}
	for name, change := range map[string]func(*LeaseRow){
		"id":         func(r *LeaseRow) { r.i.ID = "x" },
		"endpoint":   func(r *LeaseRow) { r.i.Endpoint = "f" },
		"recipients": func(r *LeaseRow) { r.recipients = `["c@d"]` },
		"list":       func(r *LeaseRow) { r.recipients = `[`; r.dsum = SealDelivery("d", "e", `[`) },
		"message":    func(r *LeaseRow) { r.i.MessageID = "n" },
		"key":        func(r *LeaseRow) { r.i.Key = "l" },
		"checksum":   func(r *LeaseRow) { r.SHA256[3]++ },
		"envelope":   func(r *LeaseRow) { r.envelopeBytes = []byte(`{ }`) },
	} {
		r := whole()
		change(r)
		if !r.Lease(now).Damaged {
			t.Errorf("a changed %s isn't noticed", name)
		}
	}
}

func TestWhere(t *testing.T) {
	c := Conditions{IDs: "IDS", Prefix: "PREFIX", Recipient: "RCPT"}
	for _, x := range []struct {
		f    retry.Filter
		cond string
		args int
	}{
		{retry.Filter{}, "1 = 1", 1},
		{retry.Filter{All: true}, "1 = 1", 1},
		{retry.Filter{IDs: []string{"a"}, Recipient: "b"}, "1 = 1 AND IDS AND RCPT", 3},
		{retry.Filter{Prefix: "a"}, "1 = 1 AND PREFIX", 2},
		{retry.Filter{State: retry.Leased, Endpoint: "e"}, "1 = 1 AND (d.state = 1 AND d.lease_until_ms > @now) AND d.endpoint = @endpoint", 2},
		{retry.Filter{State: "nonsense"}, "1 = 1", 1},
		{retry.Filter{Reason: "r", MessageID: "m", Before: now}, "1 = 1 AND m.id = @message AND d.reason = @reason AND m.received_ms < @before", 4},
	} {
		cond, args := c.Where(x.f, now, func(ids []string) any { return ids })
		if cond != x.cond || len(args) != x.args {
			t.Errorf("%+v: %s with %v", x.f, cond, args)
		}
		if err := Needed(x.f); (err != nil) != (x.cond == "1 = 1" && !x.f.All && x.f.State == "") {
			t.Errorf("%+v is needed: %v", x.f, err)
		}
	}
}

func TestPlace(t *testing.T) {
	rows := func(n int) (out []Row) {
		for i := range n {
			out = append(out, Row{N: int64(10 + i)})
		}
		return out
	}
	for _, c := range []struct {
		page  retry.Page
		rows  int
		after string
	}{{retry.Page{}, 100, ""}, {retry.Page{}, 101, "109"}, {retry.Page{Size: 2}, 3, "11"}, {retry.Page{Size: 2, After: "9"}, 2, ""}, {retry.Page{Size: -1}, 1, ""}} {
		at, err := PlaceOf(c.page)
		if err != nil {
			t.Fatal(err)
		}
		out, next := at.Page(rows(c.rows), now)
		if next.After != c.after && c.page.Size != 0 || len(out) != min(c.rows, at.Size) {
			t.Errorf("%+v of %d: %d rows, then %+v", c.page, c.rows, len(out), next)
		}
	}
	for _, after := range []string{"x", "1;", "1.5", " 1"} {
		if _, err := PlaceOf(retry.Page{After: after}); err == nil {
			t.Errorf("the place %q is taken", after)
		}
	}
}

func TestUsage(t *testing.T) {
	var u Usage
	b := Bounds{MaxBytes: 100, MaxMessages: 5}
	r, err := u.Reserve(60, b)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := u.Reserve(41, b); !errors.Is(err, retry.ErrFull) {
		t.Errorf("beside a reservation: %v", err)
	}
	r.Release()
	r.Release()
	u.Set(Stored{Bytes: 50, Messages: 4, DeadBytes: 50, DeadMessages: 4})
	if !u.Idle() {
		t.Error("only dead letters are something to do")
	}
	if _, err := u.Reserve(71, b); !errors.Is(err, retry.ErrFull) { // 20 of the 50 are the dead letters' own
		t.Errorf("beside dead letters: %v", err)
	}
	r, err = u.Reserve(70, b)
	if err != nil {
		t.Fatal(err)
	}
	r.Release()
	u.Add(10)
	if s := u.Get(); s.Bytes != 60 || s.Messages != 5 || u.Idle() {
		t.Errorf("%+v", s)
	}
	asked := u.Added()
	u.Add(10)
	u.SetAsOf(Stored{}, asked)
	if u.Idle() {
		t.Error("an account that was asked for before a message was stored says that there is nothing to do")
	}
	u.Set(Stored{})
	if !u.Idle() {
		t.Error("there is something to do in an empty store")
	}
}

// at reads a string piece by piece.
type at struct{ *strings.Reader }

func (at) Close() error { return nil }

// TestStoredBody: a body that differs ends in ErrCorrupt, not in io.EOF.
func TestStoredBody(t *testing.T) {
	var ref retry.BodyRef
	ref.Size = 5
	if err := Digest(strings.NewReader("hello"), &ref); err != nil {
		t.Fatal(err)
	}
	for stored, whole := range map[string]bool{"hello": true, "hallo": false, "hell": false, "hello!": true} {
		b := ReaderBody(at{strings.NewReader(stored)}, at{}, ref, "it")
		_, err := io.ReadAll(b)
		verified := b.Verify()
		if whole != (err == nil) || whole != (verified == nil) || !whole && (!errors.Is(err, retry.ErrCorrupt) || !errors.Is(verified, retry.ErrCorrupt)) {
			t.Errorf("%q: read %v, verified %v", stored, err, verified)
		}
		if _, err := MemoryBody([]byte(stored), ref); (err == nil) != (stored == "hello") {
			t.Errorf("%q in memory: %v", stored, err)
		}
	}
	if err := Digest(strings.NewReader("hello!"), &ref); err == nil {
		t.Error("a body that is longer than it said is taken")
	}
}
