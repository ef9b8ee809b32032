package auth_test

import (
	"bytes"
	"encoding/json"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"postern/gateway/auth"
	"postern/gateway/mail"
)

// vectors is where others' test material lies, beside the project; without it the
// tests that need it are skipped.
func vectors(t testing.TB, path string) string {
	t.Helper()
	path = filepath.Join("../../../shared/corpus", path)
	if _, err := os.Stat(path); err != nil {
		t.Skip("there is no ", path)
	}
	return path
}

// scenario is a part of an openspf suite.
type scenario struct {
	Description string
	Tests       map[string]struct {
		Helo, Host, Mailfrom string
		Result               any
		Skip                 string // what blitiri's library is known not to do
	}
	Zonedata map[string][]any
}

// TestSPFSuites runs the openspf suites through a DNS server.
func TestSPFSuites(t *testing.T) {
	passed, skipped := 0, 0
	for _, name := range []string{"rfc7208-tests.yml", "rfc4408-tests.yml", "pyspf-tests.yml", "blitirispf-tests.yml"} {
		f, err := os.Open(vectors(t, "spf/"+name))
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		for d := yaml.NewDecoder(f); ; {
			var s scenario
			err := d.Decode(&s)
			if err == io.EOF {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
			r := resolver(t, parseZone(t, zoneOf(s.Zonedata)).serve(t))
			for test, c := range s.Tests {
				if c.Skip != "" {
					skipped++
					continue
				}
				got, why := auth.CheckSPF(t.Context(), r, parseAddr(t, c.Host), c.Helo, c.Mailfrom)
				if want := strs(c.Result); !slices.Contains(want, got) {
					t.Errorf("%s, %s, %s: %s (%s), want %s", name, s.Description, test, got, why, want)
				} else {
					passed++
				}
			}
		}
	}
	t.Logf("%d pass, %d are marked to be skipped", passed, skipped)
}

func strs(v any) (out []string) {
	switch v := v.(type) {
	case string:
		return []string{strings.ToLower(v)}
	case []any:
		for _, s := range v {
			out = append(out, strs(s)...)
		}
	}
	return out
}

// zoneOf writes a suite's records as a zone. Records of type SPF stand for TXT
// where there are none.
func zoneOf(data map[string][]any) string {
	var b strings.Builder
	for name, list := range data {
		if name == "" {
			continue
		}
		name = escapeName(name)
		var texts, spf []string
		noTXT := false
		for _, r := range list {
			record, ok := r.(map[string]any)
			if !ok {
				b.WriteString(strings.ToLower(name) + ". FAIL\n") // TIMEOUT
				continue
			}
			for kind, v := range record {
				if v == "TIMEOUT" || v == true {
					b.WriteString(strings.ToLower(name) + ". FAIL\n")
					continue
				}
				switch kind {
				case "TXT", "SPF":
					text, isText := v.(string)
					if parts, ok := v.([]any); ok {
						for _, p := range parts {
							s, _ := p.(string)
							text += s
						}
						isText = true
					}
					switch {
					case text == "NONE":
						noTXT = noTXT || kind == "TXT"
					case !isText:
					case kind == "TXT":
						texts = append(texts, text)
					default:
						spf = append(spf, text)
					}
				case "MX":
					mx := v.([]any)
					host, _ := mx[1].(string)
					b.WriteString(name + ". 60 IN MX " + number(mx[0]) + " " + escapeName(host) + ".\n")
				case "PTR", "CNAME":
					b.WriteString(name + ". 60 IN " + kind + " " + escapeName(v.(string)) + ".\n")
				case "A", "AAAA":
					b.WriteString(name + ". 60 IN " + kind + " " + v.(string) + "\n")
				}
			}
		}
		if len(texts) == 0 && !noTXT {
			texts = spf
		}
		for _, text := range texts {
			b.WriteString(txt(name, escapeText(text)))
		}
	}
	return b.String()
}

func number(v any) string { b, _ := json.Marshal(v); return string(b) }

func escapeName(s string) string {
	return strings.NewReplacer(" ", `\032`, "(", `\(`, ")", `\)`, ";", `\;`, "@", `\@`, `"`, `\"`, "\x00", `\000`).Replace(strings.TrimSuffix(s, "."))
}

func escapeText(s string) string {
	s = strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s)
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if c := s[i]; c < ' ' || c >= 0x7f {
			b.WriteString("\\" + string([]byte{'0' + c/100, '0' + c/10%10, '0' + c%10}))
			continue
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

// TestDKIMVectors verifies the signed messages of other implementations.
func TestDKIMVectors(t *testing.T) {
	football := txt("brisbane._domainkey.football.example.com", "v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=") +
		txt("test._domainkey.football.example.com", "v=DKIM1; k=rsa; p=MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDkHlOQoBTzWRiGs5V6NpP3idY6Wk08a5qhdR6wy5bdOKb2jLQiY/J16JYi0Qvx/byYzCNb3W91y3FutACDfzwQ/BC/e/8uBsCR+yz1Lxj+PL6lHvqMKrM3rG4hstT5QjvHO9PzoxZyVYLzBfO2EeC3Ip3G+2kryOTIKT+l/K4w3QIDAQAB")
	example := txt("brisbane._domainkey.example.com", "v=DKIM1; p=MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDwIRP/UC3SBsEmGqZ9ZJW3/DkMoGeLnQg1fWn7/zYtIxN2SnFCjxOCKG9v3b4jYfcTNh5ijSsq631uBItLa7od+v/RtdC2UzJ1lWT947qR+Rcac2gbto/NMqJ0fzfVjH4OuKhitdY9tf6mcwGjaNBcWToIMmPSPDdQPNUYckcQ2QIDAQAB") +
		txt("newengland._domainkey.example.com", "v=DKIM1; p=MIGJAoGBALVI635dLK4cJJAH3Lx6upo3X/Lm1tQz3mezcWTA3BUBnyIsdnRf57aD5BtNmhPrYYDlWlzw3UgnKisIxktkk5+iMQMlFtAS10JB8L3YadXNJY+JBcbeSi5TgJe4WFzNgW95FWDAuSTRXSWZfA/8xjflbTLDx0euFZOM7C4T0GwLAgMBAAE=")
	c := checker(t, football+example, auth.Config{})
	for name, want := range map[string]string{"header-001": "", "header-002": "", "verify-003": "", "verify-004": "pass", "verify-005": "pass", "verify-007": "pass,pass,pass"} {
		b, err := os.ReadFile(vectors(t, "go-msgauth-tests/dkim/"+name+".eml"))
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Contains(b, []byte("\r\n")) {
			b = bytes.ReplaceAll(b, []byte("\n"), []byte("\r\n"))
		}
		a := c.Authenticate(t.Context(), &mail.Envelope{}, mail.Bytes(b))
		var got []string
		for _, k := range a.DKIM {
			got = append(got, k.Result)
		}
		if strings.Join(got, ",") != want {
			t.Errorf("%s: %v (%s), want %s", name, got, a.Header, want)
		}
	}
}

// TestCorpus takes all mails that lie there: nothing panics, and the verdict over a
// file is the one over memory.
func TestCorpus(t *testing.T) {
	c := checker(t, "", auth.Config{})
	n := 0
	err := filepath.WalkDir(vectors(t, "mailauth"), func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || filepath.Ext(path) != ".eml" {
			return err
		}
		b, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		e := envelope(other, "helo.example", "")
		one, two := c.Authenticate(t.Context(), e, mail.Bytes(b)), c.Authenticate(t.Context(), e, onDisk(path))
		if one.Header != two.Header {
			t.Errorf("%s: %s in memory, %s in a file", path, one.Header, two.Header)
		}
		n++
		return nil
	})
	if err != nil || n == 0 {
		t.Errorf("%d mails, %v", n, err)
	}
}

// onDisk is a file as a source.
type onDisk string

func (f onDisk) Open() (io.ReadSeekCloser, error) { return os.Open(string(f)) }
func (f onDisk) Size() int64                      { i, _ := os.Stat(string(f)); return i.Size() }
