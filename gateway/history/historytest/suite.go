// Package historytest holds every history.Store to the same promises.
package historytest

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"postern/gateway/history"
	"postern/gateway/text"
)

// start is the time of the first record.
var start = time.Date(2026, 11, 25, 3, 0, 0, 0, time.UTC)

// Record is the n-th record of a test: a minute after the one before.
func Record(n int) history.Record {
	id := fmt.Sprintf("0r%06d", n)
	return history.Record{
		ID: id, At: start.Add(time.Duration(n) * time.Minute), TookMS: 12,
		Client: history.Client{IP: "192.0.2.7", Name: "mx.sender.example", Hello: "mx.sender.example"},
		From:   fmt.Sprintf("ann+%d@sender.example", n), To: []history.Recipient{{Address: "Sales@in.example.com", Reply: "250 2.1.5 OK"}},
		Size: 1234, MessageID: fmt.Sprintf("m%d.x@sender.example", n), Subject: fmt.Sprintf("Invoice 70%02d für Müller", n),
		Result: history.Accepted, Reply: "250 2.0.0 Taken as " + id,
		Attempts: []history.Attempt{{Delivery: fmt.Sprintf("wh%06d", n), Endpoint: "app", To: []string{"Sales@in.example.com"}, At: start, N: 1, Status: 200, Reason: "delivered"}},
	}
}

// Run holds the stores that open makes to what history.Store promises.
func Run(t *testing.T, open func(t *testing.T) history.Store) {
	for name, test := range map[string]func(*testing.T, history.Store){
		"find": testFind, "pages": testPages, "get": testGet, "states": testStates, "forget": testForget, "prune": testPrune,
		"refuses": testRefuses, "ends": testEnds, "unsettled": testUnsettled, "late": testForgetLate, "odd": testOdd,
	} {
		t.Run(name, func(t *testing.T) { test(t, open(t)) })
	}
}

func write(t *testing.T, s history.Store, b history.Batch) {
	t.Helper()
	if err := s.Write(t.Context(), b); err != nil {
		t.Fatal(err)
	}
}

func records(n int) history.Batch {
	var b history.Batch
	for i := range n {
		b.Records = append(b.Records, Record(i))
	}
	return b
}

// ids is what a query finds, or its error.
func ids(ctx context.Context, s history.Store, q history.Query) string {
	found, next, err := s.Find(ctx, q)
	if err != nil {
		return "error: " + err.Error()
	}
	var all []string
	for _, r := range found {
		if len(r.Attempts) > 0 {
			return "attempts in a list"
		}
		all = append(all, strings.TrimPrefix(r.ID, "0r00000"))
	}
	if next != "" {
		all = append(all, "more")
	}
	return strings.Join(all, " ")
}

func testFind(t *testing.T, s history.Store) {
	write(t, s, records(4))
	bounce := Record(4)
	bounce.Author = []string{"boss@bank.example"}
	bounce.From, bounce.Subject, bounce.MessageID, bounce.Auth = "", "Re: счёт № 7", "", "device-9@sender.example"
	write(t, s, history.Batch{Records: []history.Record{bounce}})
	for _, row := range []struct {
		q    history.Query
		want string
	}{
		{history.Query{}, "4 3 2 1 0"},
		{history.Query{Words: "0r000002"}, "2"},
		{history.Query{Words: "0r0000"}, "4 3 2 1 0"},
		{history.Query{Words: "wh000003"}, "3"},
		{history.Query{Words: "<m1.x@sender.example>"}, "1"},
		{history.Query{Words: "invoice"}, "3 2 1 0"},
		{history.Query{Words: "INVOICE 7002"}, "2"},
		{history.Query{Words: "7002 inv"}, "2"},
		{history.Query{Words: "voice"}, ""},
		{history.Query{Words: "müller"}, "3 2 1 0"},
		{history.Query{Words: "Счёт"}, "4"},
		{history.Query{Words: "192.0.2.7"}, "4 3 2 1 0"},
		{history.Query{Words: "nothing like it"}, ""},
		{history.Query{Address: "ann+3@sender.example"}, "3"},
		{history.Query{Address: "sales@IN.example.com"}, "4 3 2 1 0"},
		{history.Query{Address: "ann"}, "3 2 1 0"},
		{history.Query{Address: "@sender.exa"}, "4 3 2 1 0"},
		{history.Query{Address: "device-9"}, "4"},
		{history.Query{Address: "boss@bank.example"}, "4"},
		{history.Query{Address: "sender@example"}, ""},
		{history.Query{Since: start.Add(3 * time.Minute)}, "4 3"},
		{history.Query{Until: start.Add(2 * time.Minute)}, "1 0"},
		{history.Query{Since: start.Add(time.Minute), Until: start.Add(2 * time.Minute), Words: "invoice"}, "1"},
		{history.Query{Limit: 2}, "4 3 more"},
		{history.Query{Words: "inv", State: "accepted"}, "3 2 1 0"},
		{history.Query{Words: "inv", State: "auth-failed"}, ""},
		{history.Query{Words: "inv", Limit: 4}, "3 2 1 0"},
	} {
		if got := ids(t.Context(), s, row.q); got != row.want {
			t.Errorf("%+v finds %q, want %q", row.q, got, row.want)
		}
	}
}

func testPages(t *testing.T, s history.Store) {
	write(t, s, records(25))
	var got []string
	for q := (history.Query{Limit: 10, Address: "ann"}); ; {
		found, next, err := s.Find(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range found {
			got = append(got, r.ID)
		}
		if next == "" {
			break
		}
		q.After = next
		write(t, s, history.Batch{Records: []history.Record{Record(100 + len(got))}}) // newer ones don't move the pages
	}
	if len(got) != 25 || got[0] != "0r000024" || got[24] != "0r000000" {
		t.Errorf("paging found %v", got)
	}
}

func testGet(t *testing.T, s history.Store) {
	write(t, s, records(12))
	want := Record(11)
	want.Attempts = append(want.Attempts, history.Attempt{Message: want.ID, Delivery: "wh2", Endpoint: "crm", To: []string{"x@in.example.com"}, At: start.Add(time.Hour),
		N: 2, Queued: true, Status: 503, Reason: "unavailable", TookMS: 3, Error: "HTTP 503", Answer: "<h1>try later</h1>"})
	write(t, s, history.Batch{Attempts: want.Attempts[1:]})
	for _, id := range []string{"0r000011", "0r00001"} {
		got, err := s.Get(t.Context(), id)
		if id == "0r00001" {
			if !errors.Is(err, history.ErrAmbiguous) {
				t.Errorf("a prefix of two is %v", err)
			}
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		if got.ID != want.ID || len(got.Attempts) != 2 || got.Attempts[1].Answer != "<h1>try later</h1>" || !got.Attempts[1].Queued || !got.At.Equal(want.At) || got.Subject != want.Subject {
			t.Errorf("got %+v", got)
		}
	}
	for _, id := range []string{"", "0r1", "zzz"} {
		if _, err := s.Get(t.Context(), id); !errors.Is(err, history.ErrNotFound) {
			t.Errorf("%q is %v", id, err)
		}
	}
}

func testStates(t *testing.T, s history.Store) {
	b := records(6)
	b.Records[1].Waiting = 2
	b.Records[2].Result, b.Records[3].Result, b.Records[4].Result, b.Records[5].Result = history.Refused, history.Deferred, history.AuthFailed, history.Aborted
	write(t, s, b)
	check := func(state history.State, want string) {
		t.Helper()
		if got := ids(t.Context(), s, history.Query{State: state}); got != want {
			t.Errorf("%s: %q, want %q", state, got, want)
		}
	}
	check(history.StateWaiting, "1")
	check(history.StateDead, "")
	check(history.StateFailed, "5 4 3 2")
	check("accepted", "1 0")
	check("refused", "2")
	check("auth-failed", "4")
	id := b.Records[1].ID
	write(t, s, history.Batch{Attempts: []history.Attempt{{Message: id, Delivery: "a"}, {Message: id, Delivery: "a", Settles: history.SettledDone}}})
	check(history.StateWaiting, "1")
	write(t, s, history.Batch{Attempts: []history.Attempt{{Message: id, Delivery: "b", Settles: history.SettledDead}, {Message: "gone", Settles: history.SettledDead}}})
	check(history.StateWaiting, "")
	check(history.StateDead, "1")
	if r, err := s.Get(t.Context(), id); err != nil || r.Waiting != 0 || r.Dead != 1 || len(r.Attempts) != 4 {
		t.Errorf("%+v, %v", r, err)
	}
	// Replayed: given up again, and then delivered.
	write(t, s, history.Batch{Attempts: []history.Attempt{{Message: id, Delivery: "b", Settles: history.SettledDead}}})
	check(history.StateDead, "1")
	write(t, s, history.Batch{Attempts: []history.Attempt{{Message: id, Delivery: "b", Settles: history.SettledDone}}})
	check(history.StateDead, "")
	// Sent once more by an operator, beside a dead letter.
	write(t, s, history.Batch{Attempts: []history.Attempt{{Message: id, Delivery: "b", Settles: history.SettledDead}, {Message: id, Delivery: "c", Settles: history.QueuedAgain}}})
	check(history.StateWaiting, "1")
	write(t, s, history.Batch{Attempts: []history.Attempt{{Message: id, Delivery: "c", Settles: history.SettledDone}}})
	check(history.StateWaiting, "")
	check(history.StateDead, "1")
}

func testForget(t *testing.T, s history.Store) {
	write(t, s, records(12))
	for address, want := range map[string]int{"ANN+1@sender.example": 1, "ann@sender.example": 0, "nobody@x.example": 0} {
		if n, err := s.Forget(t.Context(), address); n != want || err != nil {
			t.Errorf("forgetting %s removed %d, want %d: %v", address, n, want, err)
		}
	}
	if got := ids(t.Context(), s, history.Query{Words: "invoice 7001"}); got != "" {
		t.Errorf("still found: %q", got)
	}
	if got := ids(t.Context(), s, history.Query{Words: "invoice 701"}); got != "0r000011 0r000010" {
		t.Errorf("found after forgetting another: %q", got)
	}
}

func testPrune(t *testing.T, s history.Store) {
	write(t, s, records(10))
	if err := s.Prune(t.Context(), start.Add(7*time.Minute)); err != nil {
		t.Fatal(err)
	}
	if got := ids(t.Context(), s, history.Query{}); got != "9 8 7" {
		t.Errorf("after pruning: %q", got)
	}
	if got := ids(t.Context(), s, history.Query{Words: "invoice"}); got != "9 8 7" {
		t.Errorf("after pruning, by a word: %q", got)
	}
}

func testRefuses(t *testing.T, s history.Store) {
	for _, q := range []history.Query{{State: "lost"}, {Limit: -1}, {Limit: history.MaxLimit + 1}, {After: "x"}, {After: "-1"}, {Words: "%%"}, {Address: "@"}} {
		if got := ids(t.Context(), s, q); !strings.HasPrefix(got, "error: history: unusable query") {
			t.Errorf("%+v: %q", q, got)
		}
	}
	if err := s.Write(t.Context(), history.Batch{}); err != nil {
		t.Error(err)
	}
}

// testEnds holds a store's counting to Counts.Settle, for every settlement in every
// standing.
func testEnds(t *testing.T, s history.Store) {
	ends := []history.Attempt{
		{}, {Settles: history.SettledDone}, {Settles: history.SettledDead}, {Settles: history.QueuedAgain}, {Settles: history.Replayed},
		{Settles: history.Deleted}, {Settles: history.Deleted, WasDead: true},
		{Settles: history.Divided}, {Settles: history.Divided, Parts: 1}, {Settles: history.Divided, Parts: 3},
	}
	n := 0
	for _, end := range ends {
		for waiting := range 3 {
			for dead := range 3 {
				for removed := range 2 {
					r := Record(n)
					n++
					r.Waiting, r.Dead, r.Removed = waiting, dead, 0
					b := history.Batch{Records: []history.Record{r}}
					want := r.Counts()
					if removed > 0 {
						gone := history.Attempt{Message: r.ID, Settles: history.Deleted, WasDead: true}
						want, b.Attempts = want.Settle(&gone), append(b.Attempts, gone)
					}
					end.Message = r.ID
					b.Attempts = append(b.Attempts, end)
					write(t, s, b)
					before := want
					want = want.Settle(&end)
					if got, err := s.Get(t.Context(), r.ID); err != nil || got.Counts() != want {
						t.Errorf("%+v and %q of %d parts is %+v, want %+v: %v", before, end.Settles, end.Parts, got.Counts(), want, err)
					}
				}
			}
		}
	}
}

func testUnsettled(t *testing.T, s history.Store) {
	b := records(8)
	b.Records[1].Waiting, b.Records[3].Dead, b.Records[5].Waiting, b.Records[5].Dead, b.Records[7].Waiting = 1, 1, 2, 1, 1
	write(t, s, b)
	list := func(after int64, limit int) (all []history.Standing, said string) {
		t.Helper()
		all, err := s.Unsettled(t.Context(), after, limit)
		if err != nil {
			t.Fatal(err)
		}
		for _, one := range all {
			said += fmt.Sprintf("%s %d %d, ", strings.TrimPrefix(one.Message, "0r00000"), one.Waiting, one.Dead)
		}
		return all, said
	}
	first, said := list(0, 3)
	if said != "1 1 0, 3 0 1, 5 2 1, " {
		t.Fatalf("unsettled are %s", said)
	}
	if _, said := list(first[2].N, 3); said != "7 1 0, " {
		t.Errorf("the next are %s", said)
	}
	stale := first[0]
	stale.Waiting = 7
	told := history.Attempt{Message: first[1].Message, To: []string{}, Reason: "left the queue", Settles: history.Vanished, Parts: 1}
	write(t, s, history.Batch{Corrections: []history.Correction{
		{Standing: stale, Is: history.Counts{Removed: 7}},
		{Standing: first[1], Is: history.Counts{Removed: 1}, Told: &told},
		{Standing: first[2], Is: history.Counts{Waiting: 1, Dead: 2}},
	}})
	if _, said := list(0, 9); said != "1 1 0, 5 1 2, 7 1 0, " {
		t.Errorf("after corrections, unsettled are %s", said)
	}
	r, err := s.Get(t.Context(), first[1].Message)
	if err != nil || r.Counts() != (history.Counts{Removed: 1}) || r.Became() != "removed" || r.Attempts[len(r.Attempts)-1].Settles != history.Vanished {
		t.Errorf("corrected: %+v, %v", r, err)
	}
	if got := ids(t.Context(), s, history.Query{State: history.StateRemoved}); got != "3" {
		t.Errorf("removed: %q", got)
	}
}

// testForgetLate writes what ended before somebody was forgotten, as who forgets
// beside a running gateway makes it do.
func testForgetLate(t *testing.T, s history.Store) {
	write(t, s, records(3))
	address := "ann+1@sender.example"
	if n, err := s.Forget(t.Context(), strings.ToUpper(address)); n != 1 || err != nil {
		t.Fatalf("%d, %v", n, err)
	}
	late, later := Record(1), Record(4)
	later.From, later.At = address, time.Now().Add(time.Hour)
	attempts := []history.Attempt{{Message: late.ID, To: []string{address}, Settles: history.SettledDone}, {Message: later.ID, To: []string{address}}, {Message: "0r000009", To: []string{"other@in.example.com"}}}
	write(t, s, history.Batch{Records: []history.Record{late, later}, Attempts: attempts})
	if got := ids(t.Context(), s, history.Query{Address: address}); got != "4" {
		t.Errorf("names who was forgotten: %q, want the later mail alone", got)
	}
	if r, err := s.Get(t.Context(), later.ID); err != nil || len(r.Attempts) != 2 {
		t.Errorf("the later mail: %+v, %v", r, err)
	}
	again := Record(1)
	again.From, again.To[0].Address = "other@x.example", "other@in.example.com"
	write(t, s, history.Batch{Records: []history.Record{again}})
	if r, err := s.Get(t.Context(), again.ID); err != nil || len(r.Attempts) != 1 {
		t.Errorf("an attempt for who was forgotten is kept: %+v, %v", r, err)
	}
}

// Early holds a store that replicas share, or that outlives its process, to this:
// an attempt may be written before its record. One at mail from before somebody was
// forgotten isn't kept for that; one at later mail is.
func Early(t *testing.T, s history.Store) {
	address, now := "sales@in.example.com", time.Now()
	if _, err := s.Forget(t.Context(), address); err != nil {
		t.Fatal(err)
	}
	id := func(at time.Time) string { // as the gateway's are: 48 bits of milliseconds, then noise
		return fmt.Sprintf("%010s%016d", strconv.FormatInt(at.UnixMilli()<<2, 32), 7)
	}
	for name, c := range map[string]struct {
		message string
		at      time.Duration // of the attempt, from the forgetting
		want    int
	}{
		"later mail":                    {id(now.Add(time.Hour)), 2 * time.Hour, 1},
		"mail that waited in the queue": {id(now.Add(-time.Hour)), 2 * time.Hour, 0},
		"earlier":                       {id(now.Add(-2 * time.Hour)), -time.Hour, 0},
		"later, by its own time":        {"0rlater", time.Hour, 1},
		"earlier, by its own time":      {"0rearlier", -time.Hour, 0},
	} {
		write(t, s, history.Batch{Attempts: []history.Attempt{{Message: c.message, To: []string{"other@in.example.com", address}, At: now.Add(c.at), Queued: true, Status: 503}}})
		r := Record(1)
		r.ID, r.At, r.To[0].Address, r.Attempts = c.message, now.Add(time.Hour), "other@in.example.com", nil
		write(t, s, history.Batch{Records: []history.Record{r}})
		if got, err := s.Get(t.Context(), r.ID); err != nil || len(got.Attempts) != c.want {
			t.Errorf("%s: %d attempts are kept, want %d: %v", name, len(got.Attempts), c.want, err)
		}
	}
}

// testOdd looks for what people and attackers type, behind more records than are
// looked through one by one.
func testOdd(t *testing.T, s history.Store) {
	odd := func(n int, change func(*history.Record)) history.Record {
		r := Record(n)
		change(&r)
		return r
	}
	b := history.Batch{Records: []history.Record{
		odd(0, func(r *history.Record) { r.From = "ann+tag%x_y@sender.example" }),
		odd(1, func(r *history.Record) { r.To[0].Address = `"quoted local"@in.example.com` }),
		odd(2, func(r *history.Record) { r.From = "пётр@münchen.example" }),
		odd(3, func(r *history.Record) { r.From = "info@XN--Mnchen-3ya.example" }),
		odd(4, func(r *history.Record) {
			r.Subject = "𞤀𞤣𞤤𞤢𞤥 हिन्दी ภาษาไทย ᲐᲑᲒ 𠜎字 ẞtraße İstanbul ﬁnd Ⅷ ²"
		}),
		odd(5, func(r *history.Record) { r.Subject = "🚀 Rocket 👩‍👩‍👧‍👦 launch \x00 NUL \xff bad" }),
		odd(6, func(r *history.Record) { r.From, r.Subject = "john.q.smith@corp.example", "שלום עולם" }),
		odd(7, func(r *history.Record) { r.MessageID = strings.Repeat("m", 300) + "@h.example" }),
	}}
	for n := range history.Window + 1 {
		r := Record(1000 + n)
		r.From, r.Subject, r.MessageID, r.Attempts = "filler@x.example", "filler", "", nil
		b.Records = append(b.Records, r)
	}
	write(t, s, b)
	for words, want := range map[string]string{
		"ann+tag%x_y@sender.example": "0", "tag%x": "", "x_y": "", "y@sender.example": "0", `"quoted local"@in.example.com`: "1", "quoted": "1",
		"пётр@münchen.example": "2", "пётр@xn--mnchen-3ya.example": "2", "info@münchen.example": "3", "info@xn--mnchen-3ya.example": "3", "münchen": "3 2", "ПЁТР": "2",
		"𞤀𞤣𞤤𞤢𞤥": "4", "𞤢𞤣𞤤𞤢𞤥": "4", "हिन्दी": "4", "ภาษาไทย": "4", "ᲐᲑᲒ": "4", "字": "", "𠜎字": "4", "istanbul": "4", "İstanbul": "4", "ﬁnd": "4", "ⅷ": "4", "²": "4",
		"🚀 rocket": "5", "nul bad": "5", "smith@corp.example": "6", "smith@corp": "6", "john.q": "6", "q.smith": "", "שלום": "6", strings.Repeat("m", 300): "7", strings.Repeat("m", 64): "7", strings.Repeat("m", 300) + "@h.example": "7",
		strings.Repeat("m", 9): "7", "' OR 1=1 --": "", `a" OR "b`: "", "NEAR(rocket launch)": "", "rocket NOT launch": "", "rocket*": "5", "roc": "5", "^rocket": "5", "w:rocket": "", "rocket & !launch": "5", "rocket:*": "5",
		"\x00": bad, "%": bad, "_": bad, "🚀": bad, "\xff": bad, "0R000004": "4", "0r000004\x00": "4", strings.Repeat("z ", 5000): "",
	} {
		if got := ids(t.Context(), s, history.Query{Words: words}); got != want {
			t.Errorf("%q finds %q, want %q", text.Clip(words, 80), got, want)
		}
	}
	for address, want := range map[string]string{"smith@corp": "6", "x_y@sender": "", "y@sender": "0", "münchen": "3 2", "xn--mnchen": "3 2", "@xn--mnchen-3ya.example": "3 2", "%": bad, "quoted local": "1"} {
		if got := ids(t.Context(), s, history.Query{Address: address}); got != want {
			t.Errorf("the address %q finds %q, want %q", address, got, want)
		}
	}
	for _, id := range []string{"\x00", "0r00\x00", "\xff\xfe", "%", "0r0000__", strings.Repeat("0", 100_000)} {
		if _, err := s.Get(t.Context(), id); !errors.Is(err, history.ErrNotFound) {
			t.Errorf("%q is %v", text.Clip(id, 80), err)
		}
	}
	if n, err := s.Forget(t.Context(), "INFO@münchen.example"); n != 1 || err != nil {
		t.Errorf("forgetting the other spelling of an address removed %d, %v", n, err)
	}
}

// bad is what a query finds that has nothing to look for.
const bad = "error: history: unusable query: there is no letter or digit to look for"
