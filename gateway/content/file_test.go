package content

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"postern/gateway/mail"
)

// octets is content that can be opened again and again.
type octets struct {
	text   string
	opened int
	err    error
}

func (o *octets) Open() (io.ReadCloser, error) {
	o.opened++
	return io.NopCloser(strings.NewReader(o.text)), o.err
}
func (o *octets) WriteBase64(io.Writer) error { return nil }

// Going forward skips, going back decodes again, and nothing is read before it
// is wanted.
func TestDecodedSeeks(t *testing.T) {
	src := &octets{text: "0123456789"}
	d := &decoded{content: src, size: 10}
	defer d.Close()
	if end, err := d.Seek(0, io.SeekEnd); err != nil || end != 10 || src.opened != 0 {
		t.Errorf("the size is %d (%v), opened %d times", end, err, src.opened)
	}
	if n, err := d.Read(make([]byte, 1)); n != 0 || !errors.Is(err, io.EOF) {
		t.Errorf("at the end: %d, %v", n, err)
	}
	for _, c := range []struct {
		offset int64
		whence int
		want   string
		opened int
	}{
		{2, io.SeekStart, "23", 1},
		{3, io.SeekCurrent, "78", 1},
		{-10, io.SeekEnd, "01", 2},
		{8, io.SeekStart, "89", 2},
	} {
		if _, err := d.Seek(c.offset, c.whence); err != nil {
			t.Fatal(err)
		}
		b := make([]byte, 2)
		if _, err := io.ReadFull(d, b); err != nil || string(b) != c.want || src.opened != c.opened {
			t.Errorf("%d from %d: %q, %v, opened %d times", c.offset, c.whence, b, err, src.opened)
		}
	}
	if _, err := d.Seek(-1, io.SeekStart); err == nil {
		t.Error("a place before the first octet")
	}
	gone := &decoded{content: &octets{err: errors.New("gone")}, size: 1}
	if _, err := gone.Read(make([]byte, 1)); err == nil {
		t.Error("content that can't be opened was read")
	}
}

// TestDecodedEnds: content that decodes to more than was announced ends where it
// was said to.
func TestDecodedEnds(t *testing.T) {
	d := &decoded{content: &octets{text: "0123456789"}, size: 4}
	defer d.Close()
	if b, err := io.ReadAll(d); err != nil || string(b) != "0123" {
		t.Errorf("%q, %v", b, err)
	}
	b := make([]byte, 10)
	_, _ = d.Seek(3, io.SeekStart)
	if n, err := d.Read(b); n != 1 || err != nil {
		t.Errorf("%d octets from the last, %v", n, err)
	}
}

// deadlines notes until when each piece must be taken.
type deadlines struct {
	http.ResponseWriter
	at []time.Time
}

// SetWriteDeadline is http.ResponseController's.
func (d *deadlines) SetWriteDeadline(t time.Time) error {
	d.at = append(d.at, t)
	return nil
}

// TestPatient: each piece of an answer has a time of its own to be taken.
func TestPatient(t *testing.T) {
	d := &deadlines{ResponseWriter: httptest.NewRecorder()}
	w, began := Patient(d), time.Now()
	for range 2 {
		if _, err := w.Write([]byte("octets")); err != nil {
			t.Fatal(err)
		}
	}
	if len(d.at) != 2 || d.at[0].Before(began.Add(contentStall)) || d.at[1].Before(d.at[0]) {
		t.Errorf("deadlines %v", d.at)
	}
}

func TestDisposition(t *testing.T) {
	for name, want := range map[string]string{
		"": "attachment", "a.pdf": "attachment; filename=a.pdf", "a/b.pdf": "attachment; filename=a_b.pdf", "я.pdf": "attachment; filename*=utf-8''%D1%8F.pdf",
	} {
		if got := disposition(name); got != want {
			t.Errorf("%q: %q, want %q", name, got, want)
		}
	}
	for kind, want := range map[string]string{"text/plain": "text/plain; charset=utf-8", "not a type": "application/octet-stream"} {
		if got := typeOf(mail.Attachment{ContentType: kind, Charset: "utf-8"}); got != want {
			t.Errorf("%q: %q, want %q", kind, got, want)
		}
	}
}
