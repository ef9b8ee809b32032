package directory

import (
	"context"
	"encoding/json"
	"net/http"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// row of the directory's table: what is asked, the answer, its Location, and the
// reply's beginning.
var row = regexp.MustCompile("(?m)^\\| `(rcpt|vrfy|expn)` \\| `([0-9]{3}) ?([^`]*)`(?: with `Location: ([^`]*)`)?[^|]*\\| `([^`]*)`([^|]*)\\|$")

// TestReadmeContract plays every row of the directory's table in gateway/README.md.
func TestReadmeContract(t *testing.T) {
	text, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(text), "## A directory\n")
	section, _, _ = strings.Cut(section, "\n## ")
	rows := row.FindAllStringSubmatch(section, -1)
	if lines := strings.Count(section, "\n| `"); lines != len(rows) || lines < 20 {
		t.Fatalf("%d rows of %d were understood", len(rows), lines)
	}
	for _, c := range rows {
		op, status, body, location, want, more := c[1], c[2], c[3], c[4], c[5], c[6]
		remote, _ := serve(t, func(w http.ResponseWriter, req *http.Request) {
			var q request
			if err := json.NewDecoder(req.Body).Decode(&q); err != nil || q.Op != op {
				t.Errorf("asked %+v, %v", q, err)
			}
			if q.Address == "box@in.example.com" {
				return // where a redirect leads
			}
			w.Header().Set("Location", location)
			code, _ := strconv.Atoi(status)
			w.WriteHeader(code)
			w.Write([]byte(strings.ReplaceAll(body, "ASKED", strconv.Quote(q.Address))))
		})
		serves := func(address string) bool { return strings.HasSuffix(address, "@in.example.com") }
		d := New(Config{Serves: serves, Accepted: func(string) bool { return false }, Remote: remote, Domain: "mx.example.com"})
		ask := map[string]func(context.Context, Query) Answer{"rcpt": d.Recipient, "vrfy": d.Verify, "expn": d.Expand}[op]
		a := ask(context.Background(), Query{Address: "sales@in.example.com"})
		if got := strconv.Itoa(a.Code) + " " + a.Enhanced.String() + " " + a.Lines[0]; !strings.HasPrefix(got, want) {
			t.Errorf("%s: %q", c[0], got)
		}
		if strings.Contains(more, "a line for each other") != (len(a.Lines) > 1) {
			t.Errorf("%s: %q", c[0], a.Lines)
		}
		if strings.Contains(more, "`box@in.example.com`") && a.Address != "box@in.example.com" || strings.Contains(more, "`tenants`") && a.Endpoint != "tenants" {
			t.Errorf("%s: %+v", c[0], a)
		}
	}
}
