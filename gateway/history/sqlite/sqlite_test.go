package sqlite

import (
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"postern/gateway/history"
	"postern/gateway/history/historytest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func openIn(t testing.TB, dir string, log io.Writer) *Store {
	t.Helper()
	s, err := Open(t.Context(), dir, Options{Logger: slog.New(slog.NewTextHandler(log, nil)), Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func TestStore(t *testing.T) {
	historytest.Run(t, func(t *testing.T) history.Store { return openIn(t, t.TempDir(), io.Discard) })
}

func TestEarly(t *testing.T) { historytest.Early(t, openIn(t, t.TempDir(), io.Discard)) }

// What was written is there after the next start; a file of another version,
// or damaged, is set aside and said so.
func TestReopen(t *testing.T) {
	dir := t.TempDir()
	write := func() {
		s := openIn(t, dir, io.Discard)
		if err := s.Write(t.Context(), history.Batch{Records: []history.Record{historytest.Record(1)}}); err != nil {
			t.Fatal(err)
		}
		s.Close()
	}
	write()
	s := openIn(t, dir, io.Discard)
	if _, err := s.Get(t.Context(), historytest.Record(1).ID); err != nil {
		t.Error(err)
	}
	if info, err := os.Stat(filepath.Join(dir, "history.db")); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	s.Close()
	for name, damage := range map[string]func(path string) error{
		"no database": func(p string) error { return os.WriteFile(p, []byte(strings.Repeat("not a database ", 999)), 0o600) },
		"a newer one": func(p string) error {
			s := openIn(t, dir, io.Discard)
			defer s.Close()
			_, err := s.write.Exec("PRAGMA user_version = 99")
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			if err := damage(filepath.Join(dir, "history.db")); err != nil {
				t.Fatal(err)
			}
			var log strings.Builder
			s := openIn(t, dir, &log)
			defer s.Close()
			if !strings.Contains(log.String(), "set aside") {
				t.Errorf("nothing was said: %s", log.String())
			}
			if found, _, err := s.Find(t.Context(), history.Query{}); err != nil || len(found) != 0 {
				t.Errorf("%v, %v", found, err)
			}
			aside, _ := filepath.Glob(filepath.Join(dir, "history.db.damaged-*"))
			if len(aside) == 0 {
				t.Error("the damaged file is gone")
			}
			for _, f := range aside {
				os.Remove(f)
			}
		})
	}
}

func TestBoundedOctets(t *testing.T) {
	s := openIn(t, t.TempDir(), io.Discard)
	s.o.MaxBytes = 2 << 20
	for n := range 10 {
		var b history.Batch
		for i := range 1000 {
			b.Records = append(b.Records, historytest.Record(n*1000+i))
		}
		if err := s.Write(t.Context(), b); err != nil {
			t.Fatal(err)
		}
		if err := s.Prune(t.Context(), time.Time{}); err != nil {
			t.Fatal(err)
		}
	}
	used, err := s.used(t.Context())
	if err != nil || used > s.o.MaxBytes {
		t.Errorf("%d octets are used, at most %d: %v", used, s.o.MaxBytes, err)
	}
	if _, err := s.Get(t.Context(), historytest.Record(9999).ID); err != nil {
		t.Errorf("the newest: %v", err)
	}
}

// BenchmarkWrite is the cost of a record on its way into the file, in batches.
func BenchmarkWrite(b *testing.B) {
	s := openIn(b, b.TempDir(), io.Discard)
	var batch history.Batch
	for n := range b.N {
		if batch.Records = append(batch.Records, historytest.Record(n)); batch.Len() == 500 || n == b.N-1 {
			if err := s.Write(b.Context(), batch); err != nil {
				b.Fatal(err)
			}
			batch = history.Batch{}
		}
	}
}

// TestMillion is run by hand: HISTORY_MILLION=1. Each search over a million
// records takes less than 0.3 s.
func TestMillion(t *testing.T) {
	if os.Getenv("HISTORY_MILLION") == "" {
		t.Skip("set HISTORY_MILLION=1: it writes a million records")
	}
	s := openIn(t, t.TempDir(), io.Discard)
	const total = 1_000_000
	began := time.Now()
	for n := 0; n < total; n += 1000 {
		var b history.Batch
		for i := range 1000 {
			r := historytest.Record(n + i)
			r.Subject = fmt.Sprintf("%s about order %d from %s", []string{"Invoice", "Reminder", "Question", "Thanks"}[i%4], n+i, []string{"Berlin", "Paris", "Moscow"}[i%3])
			if (n+i)%1000 == 0 {
				r.Result = history.Refused
			}
			b.Records = append(b.Records, r)
		}
		if err := s.Write(t.Context(), b); err != nil {
			t.Fatal(err)
		}
	}
	used, _ := s.used(t.Context())
	t.Logf("%d records in %v, %d MiB", total, time.Since(began).Round(time.Millisecond), used>>20)
	for _, q := range []history.Query{
		{}, {Words: historytest.Record(777_777).ID}, {Words: "wh777777"}, {Words: "m777777.x@sender.example"}, {Address: "ann+777777@sender.example"},
		{Address: "sales@in.example.com"}, {Words: "order 777777"}, {Words: "invoice moscow"}, {Words: "nothing"}, {State: history.StateFailed}, {State: history.StateDead},
		{State: "auth-failed", Words: "invoice"}, {State: "refused", Words: "invoice"}, {Since: historytest.Record(100).At, Until: historytest.Record(200).At}, {Until: historytest.Record(500).At, Words: "invoice"},
		{Address: "sender@nowhere"}, {Words: "inv"},
	} {
		began := time.Now()
		found, _, err := s.Find(t.Context(), q)
		took := time.Since(began)
		t.Logf("%4d found in %8v %+v %v", len(found), took.Round(10*time.Microsecond), q, err)
		if took > 300*time.Millisecond {
			t.Errorf("%+v takes %v", q, took)
		}
	}
}
