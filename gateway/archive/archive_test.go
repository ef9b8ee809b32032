package archive_test

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"postern/gateway/archive"
	"postern/gateway/mail"
	"postern/retry"
	"postern/retry/sqlite"
)

const trace = "Received: from client.example by mx.example; Tue, 6 Jan 2026 10:00:00 +0000\r\n"

// store keeps a message with one delivery in a queue of its own.
func store(t *testing.T, data string) (q *sqlite.Queue, dir string) {
	t.Helper()
	dir = t.TempDir()
	q, err := sqlite.Open(t.Context(), dir, sqlite.Options{MinFree: -1, Unsafe: true})
	must(t, err)
	t.Cleanup(func() { q.Close() })
	env := &mail.Envelope{ID: "m1", Key: "k1", From: "s@client.example", Received: time.Now().UTC().Truncate(time.Millisecond), Trace: trace}
	record, err := archive.Record(env, strings.Repeat("я", 200), time.Hour)
	must(t, err)
	if record.Life != time.Hour || len(record.Subject) != 200 || record.Key != "k1" || record.From != env.From {
		t.Errorf("record %+v", record)
	}
	booked, err := q.Reserve(t.Context(), int64(len(data)))
	must(t, err)
	defer booked.Release()
	record.Body, err = q.Stage(t.Context(), booked, mail.Bytes(data))
	must(t, err)
	_, err = q.Enqueue(t.Context(), record, []retry.NewDelivery{{ID: "d1", Endpoint: "e", Recipients: []string{"a@in.example"}}})
	must(t, err)
	return q, dir
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func lease(t *testing.T, q *sqlite.Queue) retry.Lease {
	t.Helper()
	l, err := q.LeaseID(t.Context(), "d1", time.Minute)
	must(t, err)
	return l
}

func read(t *testing.T, src mail.Source) string {
	t.Helper()
	r, err := src.Open()
	must(t, err)
	defer r.Close()
	b, err := io.ReadAll(r)
	must(t, err)
	if int64(len(b)) != src.Size() {
		t.Errorf("%d octets of a source of %d", len(b), src.Size())
	}
	return string(b)
}

// What comes out is what went in, whatever the size and the way.
func TestRoundTrip(t *testing.T) {
	for _, size := range []int{0, 100, 100_000, 300_000} {
		data := strings.Repeat("x", size)
		q, _ := store(t, data)
		byID, err := archive.Open(t.Context(), q, "m1")
		must(t, err)
		l := lease(t, q)
		byLease, err := archive.OpenLease(t.Context(), q, l)
		must(t, err)
		verified, err := archive.OpenVerified(t.Context(), q, l)
		must(t, err)
		for _, m := range []*archive.Mail{byID, byLease, verified} {
			if read(t, m.Data) != data || read(t, m.Raw()) != trace+data || read(t, m.Raw()) != trace+data || m.Envelope.From != "s@client.example" {
				t.Errorf("%d octets came back as %d, envelope %+v", size, m.Data.Size(), m.Envelope)
			}
			must(t, m.Close())
		}
	}
}

// Octets that differ from what was received never leave, unless an operator
// asks for what is left of them.
func TestDamaged(t *testing.T) {
	for _, size := range []int{100_000, 300_000} {
		q, dir := store(t, strings.Repeat("x", size))
		l := lease(t, q)
		damage(t, filepath.Join(dir, "bodies"))
		if _, err := archive.Open(t.Context(), q, "m1"); !errors.Is(err, retry.ErrCorrupt) {
			t.Errorf("%d octets by id: %v", size, err)
		}
		if _, err := archive.OpenLease(t.Context(), q, l); !errors.Is(err, retry.ErrCorrupt) {
			t.Errorf("%d octets by lease: %v", size, err)
		}
		m, err := archive.Salvage(t.Context(), q, "m1")
		must(t, err)
		if got := read(t, m.Raw()); len(got) != len(trace)+size {
			t.Errorf("%d of %d octets are left", len(got), size)
		}
		must(t, m.Close())
	}
	q, _ := store(t, "x")
	l := lease(t, q)
	l.Damaged = true
	if _, err := archive.OpenLease(t.Context(), q, l); !errors.Is(err, retry.ErrCorrupt) {
		t.Errorf("a damaged record: %v", err)
	}
}

// damage changes one octet of each file below dir.
func damage(t *testing.T, dir string) {
	t.Helper()
	must(t, filepath.WalkDir(dir, func(name string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(name)
		must(t, err)
		b[len(b)-1] ^= 1
		return os.WriteFile(name, b, 0o600)
	}))
}

// Each error says what its caller decides on.
func TestErrors(t *testing.T) {
	q, _ := store(t, "x")
	if _, err := archive.Open(t.Context(), q, "m2"); !errors.Is(err, retry.ErrNotFound) {
		t.Errorf("a message that isn't there: %v", err)
	}
	l := lease(t, q)
	gone := l
	gone.Body.ID, gone.Body.Size = "nothing", 1<<20
	if _, err := archive.OpenLease(t.Context(), q, gone); err == nil {
		t.Error("a body that isn't there was opened")
	}
	l.Envelope = []byte("{")
	if _, err := archive.OpenLease(t.Context(), q, l); !errors.Is(err, archive.ErrEnvelope) {
		t.Errorf("half an envelope: %v", err)
	}
	if _, err := archive.Open(t.Context(), halfEnvelope{q}, "m1"); !errors.Is(err, archive.ErrEnvelope) {
		t.Errorf("half an envelope by id: %v", err)
	}
}

// halfEnvelope is a store whose envelopes were cut.
type halfEnvelope struct{ archive.Messages }

// OpenMessage implements archive.Messages.
func (h halfEnvelope) OpenMessage(ctx context.Context, id string) (retry.Message, retry.StoredBody, error) {
	m, b, err := h.Messages.OpenMessage(ctx, id)
	m.Envelope = m.Envelope[:len(m.Envelope)/2]
	return m, b, err
}

// one says the same of every message.
type one struct{ err error }

func (o one) OpenMessage(context.Context, string) (retry.Message, retry.StoredBody, error) {
	return retry.Message{ID: "m1"}, nil, o.err
}

// The first place that can give a message does; where none can, the error that
// says most is the answer.
func TestAnywhere(t *testing.T) {
	down, gone, torn := errors.New("down"), archive.ErrNotFound, retry.ErrCorrupt
	for _, c := range []struct {
		of   []archive.Messages
		want error
	}{
		{nil, gone}, {[]archive.Messages{nil}, gone}, {[]archive.Messages{one{gone}, one{gone}}, gone}, {[]archive.Messages{one{gone}, nil, one{}}, nil},
		{[]archive.Messages{one{torn}, one{}}, nil}, {[]archive.Messages{one{torn}, one{gone}}, torn}, {[]archive.Messages{one{gone}, one{down}}, down}, {[]archive.Messages{one{down}, one{torn}}, down},
	} {
		if m, _, err := archive.Anywhere(c.of...).OpenMessage(t.Context(), "m1"); !errors.Is(err, c.want) || c.want == nil && m.ID != "m1" {
			t.Errorf("%v: %v, want %v", c.of, err, c.want)
		}
	}
}

// TestWhole: a message that may never be read costs nothing before, and is what Raw
// gives when it is.
func TestWhole(t *testing.T) {
	env := &mail.Envelope{Trace: "Received: by us\r\n", Removed: []mail.Span{{From: 0, To: 9}}}
	data := mail.Bytes("X-Old: y\nSubject: x\r\n\r\nbody\r\n")
	whole := archive.Whole(env, data)
	if got, want := read(t, whole), read(t, archive.Raw(env, data)); got != want || int64(len(got)) != whole.Size() || !strings.HasPrefix(got, "Received: by us\r\nSubject: x") {
		t.Errorf("%q of %d octets, want %q", got, whole.Size(), want)
	}
}

// TestRecipients: a delivery's recipients come in the envelope's order, with all that
// the envelope knows of them.
func TestRecipients(t *testing.T) {
	env := &mail.Envelope{To: []mail.Recipient{{Address: "a"}, {Address: "b", Tag: "t"}, {Address: "c"}}}
	for asked, want := range map[string]string{"": "", "a": "a", "c b": "bt c", "x": "", "b b": "bt", "a b c": "a bt c"} {
		var got []string
		for _, r := range archive.Recipients(env, strings.Fields(asked)) {
			got = append(got, r.Address+r.Tag)
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%q: %q, want %q", asked, got, want)
		}
	}
}

// bodies opens any reference as the same octets.
type bodies string

// Open implements Bodies.
func (b bodies) Open(context.Context, retry.BodyRef) (retry.StoredBody, error) {
	return octets{strings.NewReader(string(b))}, nil
}

type octets struct{ *strings.Reader }

func (octets) Close() error  { return nil }
func (octets) Verify() error { return nil }

// shut counts how often its octets are let go.
type shut struct {
	octets
	times *int
}

// torn is a shut whose octets are damaged.
type torn struct{ shut }

// Verify implements retry.StoredBody.
func (torn) Verify() error { return retry.ErrCorrupt }

// Close implements retry.StoredBody.
func (s shut) Close() error { *s.times++; return nil }

// shutting is a store of one message with an envelope.
type shutting struct {
	envelope string
	body     retry.StoredBody
}

// OpenMessage implements archive.Messages.
func (s shutting) OpenMessage(context.Context, string) (retry.Message, retry.StoredBody, error) {
	return retry.Message{ID: "m1", Envelope: []byte(s.envelope)}, s.body, nil
}

// Open implements archive.Bodies.
func (s shutting) Open(context.Context, retry.BodyRef) (retry.StoredBody, error) { return s.body, nil }

// TestOctetsAreLetGo: whoever opens a message has its octets closed once, and where
// it can't be opened they are closed as well.
func TestOctetsAreLetGo(t *testing.T) {
	for envelope, fails := range map[string]bool{"{}": false, "{": true} {
		for name, open := range map[string]func(s shutting) (*archive.Mail, error){
			"salvage": func(s shutting) (*archive.Mail, error) { return archive.Salvage(t.Context(), s, "m1") },
			"by id":   func(s shutting) (*archive.Mail, error) { return archive.Open(t.Context(), s, "m1") },
			"a small one": func(s shutting) (*archive.Mail, error) {
				return archive.OpenLease(t.Context(), s, retry.Lease{Envelope: []byte("{}"), Body: retry.BodyRef{Size: 4}})
			},
		} {
			times := 0
			m, err := open(shutting{envelope, shut{octets{strings.NewReader("body")}, &times}})
			if name != "a small one" && (err != nil) != fails {
				t.Errorf("%s, %s: %v", name, envelope, err)
			}
			if err == nil {
				must(t, m.Close())
			}
			if times != 1 {
				t.Errorf("%s, %s: closed %d times", name, envelope, times)
			}
		}
	}
}

// TestDamagedIsLetGo: octets that turn out to be damaged are closed once.
func TestDamagedIsLetGo(t *testing.T) {
	times := 0
	store := shutting{"{}", torn{shut{octets{strings.NewReader("body")}, &times}}}
	if _, err := archive.Open(t.Context(), store, "m1"); !errors.Is(err, retry.ErrCorrupt) || times != 1 {
		t.Errorf("by id: %v, closed %d times", err, times)
	}
	large := retry.Lease{Envelope: []byte("{}"), Body: retry.BodyRef{Size: 1 << 20}}
	if _, err := archive.OpenLease(t.Context(), store, large); !errors.Is(err, retry.ErrCorrupt) || times != 2 {
		t.Errorf("of a lease: %v, closed %d times in all", err, times)
	}
}

// TestInMemory: up to a size the octets are read and let go at once.
func TestInMemory(t *testing.T) {
	for size, closed := range map[int]int{256 << 10: 1, 256<<10 + 1: 0} {
		times := 0
		store := shutting{"{}", shut{octets{strings.NewReader(strings.Repeat("x", size))}, &times}}
		m, err := archive.OpenVerified(t.Context(), store, retry.Lease{Envelope: []byte("{}"), Body: retry.BodyRef{Size: int64(size)}})
		must(t, err)
		if times != closed {
			t.Errorf("%d octets: closed %d times, want %d", size, times, closed)
		}
		must(t, m.Close())
		if times != 1 {
			t.Errorf("%d octets: closed %d times in the end", size, times)
		}
	}
}

// TestHeld: who holds a mail's octets reads them after the mail was closed, and
// nobody closes them twice.
func TestHeld(t *testing.T) {
	small, err := archive.OpenVerified(t.Context(), bodies("body"), retry.Lease{Envelope: []byte("{}"), Body: retry.BodyRef{Size: 4}})
	must(t, err)
	held := small.Held()
	must(t, small.Close())
	if got := read(t, held); got != "body" {
		t.Errorf("in memory: %q", got)
	}

	times := 0
	own := shut{octets{strings.NewReader("body")}, &times}
	m, err := archive.Salvage(t.Context(), shutting{"{}", own}, "m1")
	must(t, err)
	held = m.Held()
	r, err := held.Open()
	must(t, err)
	must(t, m.Close())
	if got, err := io.ReadAll(r); string(got) != "body" || err != nil || times != 0 || held.Size() != 4 {
		t.Errorf("after Close: %q of %d, %v, closed %d times", got, held.Size(), err, times)
	}
	if must(t, r.Close()); times != 1 {
		t.Errorf("closed %d times by its reader", times)
	}
}

// TestRemovedStaysRemoved: fields that pretended to be ours are left out of what
// comes out of the store, too, whatever the size.
func TestRemovedStaysRemoved(t *testing.T) {
	const rest = "Subject: x\r\n\r\n"
	const forged = "Authentication-Results: mx.example; dkim=pass\r\n"
	env := &mail.Envelope{ID: "m1", Trace: trace, Removed: []mail.Span{{From: 0, To: int64(len(forged))}}}
	record, err := archive.Record(env, "x", time.Hour)
	must(t, err)
	for _, size := range []int{10, 300_000} {
		text := rest + strings.Repeat("x", size)
		l := retry.Lease{Envelope: record.Envelope, Body: retry.BodyRef{Size: int64(len(forged + text))}}
		m, err := archive.OpenVerified(t.Context(), bodies(forged+text), l)
		must(t, err)
		if got := read(t, m.Raw()); got != trace+text {
			t.Errorf("%d octets: %d came back, beginning with %.200q", size, len(got), got)
		}
		if read(t, m.Data) != forged+text {
			t.Errorf("%d octets: the octets of DATA aren't what came in", size)
		}
		must(t, m.Close())
	}
}

// TestOtherSize: a body that is longer or shorter than its record says is damaged.
func TestOtherSize(t *testing.T) {
	for said, whole := range map[int64]bool{3: false, 4: true, 5: false} {
		m, err := archive.OpenVerified(t.Context(), bodies("body"), retry.Lease{Envelope: []byte("{}"), Body: retry.BodyRef{Size: said}})
		if whole && (err != nil || read(t, m.Data) != "body") || !whole && err == nil {
			t.Errorf("said %d: %v", said, err)
		}
		if said == 3 && !errors.Is(err, retry.ErrCorrupt) {
			t.Errorf("a longer one: %v", err)
		}
	}
}

// Octets that are damaged where they are found first are taken from where they
// are whole.
func TestOpenAnywhere(t *testing.T) {
	torn, dir := store(t, strings.Repeat("x", 100_000))
	whole, _ := store(t, strings.Repeat("x", 100_000))
	damage(t, filepath.Join(dir, "bodies"))
	m, err := archive.Open(t.Context(), archive.Anywhere(torn, whole), "m1")
	must(t, err)
	defer m.Close()
	if got := read(t, m.Data); len(got) != 100_000 {
		t.Errorf("%d octets", len(got))
	}
	if _, err := archive.Open(t.Context(), archive.Anywhere(torn, torn), "m1"); !errors.Is(err, retry.ErrCorrupt) {
		t.Errorf("damaged everywhere: %v", err)
	}
	if _, err := archive.Open(t.Context(), archive.Anywhere(torn, whole), "m2"); !errors.Is(err, retry.ErrNotFound) {
		t.Errorf("nowhere: %v", err)
	}
}
