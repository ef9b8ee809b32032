package htmltext_test

import (
	"os"
	"path/filepath"
	"testing"

	"postern/gateway/mail"
	"postern/gateway/mail/htmltext"
)

// TestCorpusPages: the HTML of the mails of others, where they are.
func TestCorpusPages(t *testing.T) {
	const dir = "../../../../shared/corpus"
	if _, err := os.Stat(dir); err != nil {
		t.Skip("no corpus here")
	}
	n := 0
	err := filepath.WalkDir(dir, func(path string, e os.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		raw, err := os.ReadFile(path)
		if err != nil || len(raw) > 2<<20 {
			return err
		}
		m, err := mail.Parse(mail.Bytes(raw), mail.Limits{})
		if err != nil || m.HTML == "" {
			return err
		}
		n++
		htmltext.CheckPage(t, path, m.HTML)
		htmltext.CheckTree(t, path, m.HTML)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d pages", n)
}
