package mail

import (
	"bytes"
	"encoding/base64"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// onDisk is a mail in a file.
type onDisk struct {
	path string
	size int64
}

func (f onDisk) Open() (io.ReadSeekCloser, error) { return os.Open(f.path) }
func (f onDisk) Size() int64                      { return f.size }

// TestWeight holds what reading a mail takes at its peak to what is booked for
// it. The heap is sampled, so a garbage collector that falls behind is allowed
// for.
func TestWeight(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector has its own memory")
	}
	const mb = 1 << 20
	fill := func(line string, n int) string { return strings.Repeat(line, n/len(line)) }
	coded := func(line string, n int) string { return wrap(base64.StdEncoding.EncodeToString([]byte(fill(line, n)))) }
	head := func(ctype string) string { return "Subject: x\r\nContent-Type: " + ctype + "\r\n" }
	for name, raw := range map[string]string{
		"short lines":   head("text/plain") + "\r\n" + fill("x\r\n", mb),
		"latin":         head("text/plain; charset=iso-8859-1") + "\r\n" + fill("\xe4\xf6\xfc \xe4\xf6\xfc\xe4\xf6\xfc\r\n", mb),
		"HTML":          head("text/html") + "\r\n" + fill("<div><p style=\"color:red\">&auml;&lt;b&gt; <a href=\"https://example.com/\">link</a></p></div>\r\n", mb),
		"HTML of tags":  head("text/html") + "\r\n" + fill("<p>x", mb),
		"HTML unclosed": head("text/html") + "\r\n" + fill("<b><i><table>", mb),
		"addresses":     "To: " + fill("a@b.test,\r\n ", 900<<10) + "c@d.test\r\n\r\nx",
		"a file":        head("application/pdf; name=x.pdf") + "Content-Transfer-Encoding: base64\r\n\r\n" + coded("octets", 3*mb/4),
		"many files":    head("multipart/mixed; boundary=b") + "\r\n" + fill("--b\r\nContent-Type: application/pdf; name=f\r\nContent-Transfer-Encoding: base64\r\n\r\nQUJD\r\n", 100<<10) + "--b--\r\n",
		"many texts":    head("multipart/mixed; boundary=b") + "\r\n" + fill("--b\r\nContent-Type: text/html; charset=iso-8859-1\r\n\r\n"+fill("word \xe4\xf6 word\r\n", 8<<10)+"\r\n", mb) + "--b--\r\n",
	} {
		src := onDisk{filepath.Join(t.TempDir(), "mail"), int64(len(raw))}
		if err := os.WriteFile(src.path, []byte(raw), 0o600); err != nil {
			t.Fatal(err)
		}
		raw = ""
		room := &bounded{octets: 1 << 40}
		peak := heapPeak(func() {
			if _, err := ParseWithin(src, Limits{}, room); err != nil {
				t.Error(err)
			}
		})
		t.Logf("%-14s %5d KiB take %6d KiB, %6d KiB are booked", name, src.size>>10, peak>>10, room.asked>>10)
		if peak > room.asked+room.asked/4 {
			t.Errorf("%s: %d octets were booked, %d taken", name, room.asked, peak)
		}
	}
}

// wrap cuts base64 into lines of 76.
func wrap(s string) string {
	var b bytes.Buffer
	for len(s) > 76 {
		b.WriteString(s[:76] + "\r\n")
		s = s[76:]
	}
	return b.String() + s + "\r\n"
}

// heapPeak is the octets by which the heap grows at most while f runs.
func heapPeak(f func()) int64 {
	defer debug.SetGCPercent(debug.SetGCPercent(5))
	runtime.GC()
	heap := func() int64 {
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return int64(m.HeapAlloc)
	}
	base := heap()
	var top atomic.Int64
	stop, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		for {
			top.Store(max(top.Load(), heap()-base))
			select {
			case <-stop:
				return
			case <-time.After(200 * time.Microsecond):
			}
		}
	}()
	f()
	close(stop)
	<-ended
	return top.Load()
}
