package content

import (
	"errors"
	"io"
	"mime"
	"net/http"
	"strings"
	"time"

	"postern/gateway/mail"
)

// file is stored content on its way to a client.
type file struct {
	name        string
	contentType string
	tag         string // of its octets, which never change
	at          time.Time
	content     io.ReadSeeker
	shown       bool // to somebody who signed in: no copy stays behind
}

// send answers with the file, or with the ranges that the client asks for. A
// browser must not run what strangers mailed in: it is saved, not shown, and
// without rights where it is shown all the same.
func (f file) send(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Content-Type", f.contentType)
	h.Set("Content-Disposition", disposition(f.name))
	h.Set("Content-Security-Policy", "sandbox; default-src 'none'")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cache-Control", "private, immutable, max-age=3600")
	if f.shown {
		h.Set("Cache-Control", "no-store")
	}
	h.Set("ETag", `"`+f.tag+`"`)
	if strings.Count(r.Header.Get("Range"), ",") >= maxRanges {
		r.Header.Del("Range")
	}
	http.ServeContent(Patient(w), r, "", f.at, f.content)
}

func disposition(name string) string {
	if name == "" {
		return "attachment"
	}
	if d := mime.FormatMediaType("attachment", map[string]string{"filename": tameName(name)}); d != "" {
		return d
	}
	return "attachment"
}

// Patient is w for an answer that may be large: it may take as long as its client
// takes some of it, and no longer.
func Patient(w http.ResponseWriter) http.ResponseWriter {
	return &patientWriter{ResponseWriter: w, began: time.Now()}
}

// patientWriter gives a client new time for each piece of an answer, so that a
// large file may take long but a client that takes next to nothing is let go.
type patientWriter struct {
	http.ResponseWriter
	began time.Time
	sent  int64 // octets
}

// Write implements io.Writer.
func (p *patientWriter) Write(b []byte) (int, error) {
	http.NewResponseController(p.ResponseWriter).SetWriteDeadline(p.deadline(time.Now(), int64(len(b))))
	n, err := p.ResponseWriter.Write(b)
	p.sent += int64(n)
	return n, err
}

// deadline is until when n octets more must be taken.
func (p *patientWriter) deadline(now time.Time, n int64) time.Time {
	next, last := now.Add(contentStall), p.began.Add(slowStart+time.Duration((p.sent+n)/leastRate)*time.Second)
	if last.Before(next) {
		return last
	}
	return next
}

// decoded is an attachment as an io.ReadSeeker: going back decodes again from
// the start, going forward skips.
type decoded struct {
	content mail.Content
	size    int64
	want    int64 // where the next Read is to begin
	pos     int64 // of r
	r       io.ReadCloser
}

// Seek implements io.Seeker; nothing is read before the next Read.
func (d *decoded) Seek(offset int64, whence int) (int64, error) {
	switch whence {
	case io.SeekCurrent:
		offset += d.want
	case io.SeekEnd:
		offset += d.size
	}
	if offset < 0 {
		return 0, errors.New("content: seek before the first octet")
	}
	d.want = offset
	return offset, nil
}

// Read implements io.Reader.
func (d *decoded) Read(b []byte) (int, error) {
	if d.want >= d.size {
		return 0, io.EOF
	}
	if err := d.reach(); err != nil {
		return 0, err
	}
	n, err := d.r.Read(b[:min(int64(len(b)), d.size-d.pos)])
	d.pos += int64(n)
	d.want = d.pos
	return n, err
}

// reach moves r to where the next Read is to begin.
func (d *decoded) reach() error {
	if d.r != nil && d.pos > d.want {
		d.Close()
	}
	if d.r == nil {
		r, err := d.content.Open()
		if err != nil {
			return err
		}
		d.r, d.pos = r, 0
	}
	n, err := io.CopyN(io.Discard, d.r, d.want-d.pos)
	d.pos += n
	return err
}

// Close implements io.Closer.
func (d *decoded) Close() error {
	if d.r == nil {
		return nil
	}
	r := d.r
	d.r = nil
	return r.Close()
}
