package param

import (
	"bytes"
	"strings"
	"testing"
)

// FuzzParams: parameters never hold blanks or control characters, and what
// was decoded can go into a report.
func FuzzParams(f *testing.F) {
	for _, s := range []string{" SIZE=1 BODY=7BIT", " NOTIFY=SUCCESS,DELAY ORCPT=rfc822;a+2Bb", " BY=120;R", " ENVID=QQ+2B", " =", " A==", "\tX"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		for rest := in; len(rest) > 0; {
			p, next, ok := Next(rest)
			if !ok {
				return
			}
			if len(next) >= len(rest) || bytes.ContainsAny(p.Value, " \t\r\n\x00") {
				t.Fatalf("%q: %q, then %q", in, p.Value, next)
			}
			By(p.Value)
			Notify(p.Value)
			if s, ok := ORcpt(p.Value); ok && strings.ContainsAny(s, "\r\n\x00") {
				t.Fatalf("ORCPT %q", s)
			}
			if n, ok := Number(p.Value); ok && n < 0 {
				t.Fatalf("number %d", n)
			}
			rest = next
		}
	})
}
