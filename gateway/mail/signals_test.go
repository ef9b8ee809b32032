package mail

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

// TestSignalsOfTheCorpus tells what is found in the mails of others; in those
// that no spammer sent, next to nothing.
func TestSignalsOfTheCorpus(t *testing.T) {
	n, html := 0, 0
	for _, path := range corpusMails(t) {
		b, err := os.ReadFile(filepath.Join(corpusDir, path))
		if err != nil {
			t.Fatal(err)
		}
		m, err := Parse(Bytes(b), Limits{})
		if err != nil {
			t.Fatal(err)
		}
		if m.HTML != "" {
			html++
		}
		for _, s := range m.Signals() {
			n++
			t.Logf("%s: %s: %s", path, s.Kind, fmt.Sprintf("%.150s", s.Detail))
		}
	}
	t.Logf("%d signals, %d mails with HTML", n, html)
}
