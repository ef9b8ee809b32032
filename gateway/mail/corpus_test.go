package mail

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
	"unicode/utf8"
)

// corpusDir holds mails of others that are no part of the project; the tests
// that read it are skipped without it.
const corpusDir = "../../../shared/corpus"

// corpusMails lists the files that the corpus calls mails.
func corpusMails(t testing.TB) []string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(corpusDir, "MANIFEST.json"))
	if err != nil {
		t.Skip("no corpus here")
	}
	var m struct {
		Files []struct {
			Path string
			Mail bool
		}
	}
	if err := json.Unmarshal(b, &m); err != nil {
		t.Fatal(err)
	}
	var paths []string
	for _, f := range m.Files {
		if f.Mail {
			paths = append(paths, f.Path)
		}
	}
	return paths
}

// neutral is the payload that the corpus' scorer reads.
type neutral struct {
	File        string              `json:"file"`
	Subject     string              `json:"subject"`
	From        []Address           `json:"from"`
	To          []Address           `json:"to"`
	Cc          []Address           `json:"cc"`
	Text        string              `json:"text"`
	HTML        string              `json:"html"`
	Reply       string              `json:"reply"`
	Attachments []neutralAttachment `json:"attachments"`
	Automatic   Automatic           `json:"automatic"`
	Defects     []string            `json:"defects"`
}

type neutralAttachment struct {
	Filename    string `json:"filename"`
	ContentType string `json:"content_type"`
	Size        int64  `json:"size"`
	SHA256      string `json:"sha256"`
}

func neutralOf(t testing.TB, file string, m *Message) neutral {
	n := neutral{File: file, Subject: m.Subject, From: m.From, To: m.To, Cc: m.Cc, Text: m.Text, HTML: m.HTML,
		Reply: m.Reply.Text, Automatic: m.Automatic, Defects: m.Defects}
	for _, a := range m.Attachments {
		sum := sha256.Sum256(readContent(t, file, a))
		n.Attachments = append(n.Attachments, neutralAttachment{a.Filename, a.ContentType, a.Size, hex.EncodeToString(sum[:])})
	}
	return n
}

// readContent reads an attachment both ways and holds them against its Size.
func readContent(t testing.TB, name string, a Attachment) []byte {
	t.Helper()
	r, err := a.Content.Open()
	if err != nil {
		t.Fatalf("%s: open %q: %v", name, a.Filename, err)
	}
	b, err := io.ReadAll(r)
	if err != nil {
		t.Fatalf("%s: read %q: %v", name, a.Filename, err)
	}
	r.Close()
	if int64(len(b)) != a.Size {
		t.Errorf("%s: %q has size %d, read %d", name, a.Filename, a.Size, len(b))
	}
	var enc bytes.Buffer
	if err := a.Content.WriteBase64(&enc); err != nil {
		t.Fatalf("%s: WriteBase64 %q: %v", name, a.Filename, err)
	}
	if want := base64.StdEncoding.EncodeToString(b); enc.String() != want {
		t.Errorf("%s: %q: base64 of %d octets differs from that of its content (%d)", name, a.Filename, enc.Len(), len(want))
	}
	return b
}

// checkStrings holds every string of a message to what consumers can take.
func checkStrings(t testing.TB, name string, m *Message) {
	t.Helper()
	check := func(what, s string) {
		if !utf8.ValidString(s) || strings.IndexByte(s, 0) >= 0 {
			t.Errorf("%s: %s is no valid UTF-8 without NUL: %.80q", name, what, s)
		}
	}
	check("subject", m.Subject)
	check("text", m.Text)
	check("html", m.HTML)
	check("reply", m.Reply.Text+m.Reply.Quoted+m.Reply.Signature)
	check("ids", m.MessageID+strings.Join(m.InReplyTo, "")+strings.Join(m.References, ""))
	for _, list := range [][]Address{m.From, m.ReplyTo, m.To, m.Cc, m.Bcc} {
		for _, a := range list {
			check("address", a.Name+a.Address)
		}
	}
	for _, a := range m.Attachments {
		check("attachment", a.Filename+a.ContentType+a.Charset+a.Disposition+a.ContentID)
	}
	for _, h := range m.Headers {
		check("header", h.Name+h.Value)
	}
	for _, d := range m.Defects {
		check("defect", d)
	}
}

// TestCorpus parses every mail of the corpus, from memory and from a file, and
// scores what came out against the goldens.
func TestCorpus(t *testing.T) {
	out := filepath.Join(t.TempDir(), "payloads.jsonl")
	if p := os.Getenv("CORPUS_PAYLOADS"); p != "" {
		out = p
	}
	f, err := os.Create(out)
	if err != nil {
		t.Fatal(err)
	}
	enc := json.NewEncoder(f)
	for _, path := range corpusMails(t) {
		b, err := os.ReadFile(filepath.Join(corpusDir, path))
		if err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		m, err := Parse(Bytes(b), Limits{})
		if err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		if d := time.Since(start); d > 10*time.Second { // tens of milliseconds, on a machine of its own
			t.Errorf("%s took %v", path, d)
		} else if d > 100*time.Millisecond {
			t.Logf("%s took %v", path, d)
		}
		checkStrings(t, path, m)
		n := neutralOf(t, path, m)
		if err := enc.Encode(n); err != nil {
			t.Fatal(err)
		}
		fm, err := Parse(fileSource(filepath.Join(corpusDir, path)), Limits{})
		if err != nil {
			t.Fatalf("%s from a file: %v", path, err)
		}
		if path == "synth-dev/hdr-cr-only.eml" {
			continue // memory only
		}
		a, _ := json.Marshal(n)
		c, _ := json.Marshal(neutralOf(t, path, fm))
		if !bytes.Equal(a, c) {
			t.Errorf("%s reads differently from a file:\n%.600s\n%.600s", path, a, c)
		}
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	score(t, out)
}

// TestCorpusCost reads every mail of the corpus from its file and writes all of
// its attachments, as a delivery does.
func TestCorpusCost(t *testing.T) {
	var before, after syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &before); err != nil {
		t.Fatal(err)
	}
	for _, path := range corpusMails(t) {
		m, err := Parse(fileSource(filepath.Join(corpusDir, path)), Limits{})
		if err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		for _, a := range m.Attachments {
			if err := a.Content.WriteBase64(io.Discard); err != nil {
				t.Fatalf("%s: %v", path, err)
			}
		}
	}
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &after); err != nil {
		t.Fatal(err)
	}
	cpu := time.Duration(after.Utime.Nano() + after.Stime.Nano() - before.Utime.Nano() - before.Stime.Nano())
	t.Logf("%v of CPU, %d KiB at most", cpu.Round(time.Millisecond), after.Maxrss)
	if cpu > 20*time.Second {
		t.Errorf("the corpus takes %v of CPU, want at most 20 s", cpu)
	}
}

// passMarks are the least shares of wholly right mails, in percent. Two of
// talon's twelve keep the signature above the quote in the reply; ours leaves.
var passMarks = map[string]float64{"synth-dev": 97, "mime4j": 97, "crisp-reply": 90, "talon-reply": 80}

func score(t *testing.T, payloads string) {
	if _, err := exec.LookPath("python3"); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("CI must have python3 to score with")
		}
		t.Skip("no python3 to score with")
	}
	args := []string{filepath.Join(corpusDir, "score"), "--payloads", payloads, "--goldens", corpusDir, "--show", "20"}
	b, err := exec.Command("python3", args...).CombinedOutput()
	if err != nil {
		t.Fatalf("score: %v\n%s", err, b)
	}
	t.Logf("\n%s", b)
	row := regexp.MustCompile(`(?m)^(\S+) +(\d+) +(\d+) `)
	seen := 0
	for _, r := range row.FindAllStringSubmatch(string(b), -1) {
		files, _ := strconv.Atoi(r[2])
		right, _ := strconv.Atoi(r[3])
		if mark, ok := passMarks[r[1]]; ok {
			seen++
			if 100*float64(right) < mark*float64(files) {
				t.Errorf("%s: %d of %d mails wholly right, want %.0f %%", r[1], right, files, mark)
			}
		}
	}
	if seen != len(passMarks) {
		t.Errorf("the scorer's table has %d of the %d corpora", seen, len(passMarks))
	}
}

// fileSource is a stored mail, read as the spool's files are.
type fileSource string

func (f fileSource) Open() (io.ReadSeekCloser, error) { return os.Open(string(f)) }

func (f fileSource) Size() int64 {
	fi, err := os.Stat(string(f))
	if err != nil {
		return 0
	}
	return fi.Size()
}

func fileOf(t testing.TB, s string) Source {
	t.Helper()
	path := filepath.Join(t.TempDir(), "mail")
	if err := os.WriteFile(path, []byte(s), 0o600); err != nil {
		t.Fatal(err)
	}
	return fileSource(path)
}
