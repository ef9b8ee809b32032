package payload

import (
	"encoding/json"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"postern/gateway/mail"
)

// Real and hostile mail, where it is at hand: every format keeps Body's
// promises, and every native payload fits the schema.
func TestCorpus(t *testing.T) {
	const root = "../../../shared/corpus"
	if _, err := os.Stat(root); err != nil {
		t.Skip("no corpus at hand")
	}
	every := 10 // POSTERN_TEST_CORPUS=all takes all
	if os.Getenv("POSTERN_TEST_CORPUS") == "all" {
		every = 1
	}
	v, schema := newValidator(t)
	n := 0
	err := filepath.WalkDir(root, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() || strings.HasSuffix(path, ".json") || strings.HasSuffix(path, ".md") {
			return err
		}
		if n++; n%every != 0 {
			return nil
		}
		raw, err := os.ReadFile(path)
		if err != nil || len(raw) > 4<<20 {
			return err
		}
		d := full()
		d.Raw = mail.Bytes(raw)
		if d.Message, err = mail.Parse(d.Raw, mail.Limits{}); err != nil {
			return err
		}
		for _, f := range Formats() {
			b, got := written(t, f, d, options)
			isJSON := strings.HasPrefix(b.ContentType, "application/json") || f == SESSNS{}
			if isJSON && (!json.Valid(got) || !utf8.Valid(got)) {
				t.Errorf("%s: %s is no valid JSON", path, f.Name())
			}
			if f != (Native{}) {
				continue
			}
			var value any
			if err := json.Unmarshal(got, &value); err != nil {
				t.Errorf("%s: %v", path, err)
			}
			for _, fault := range v.check("payload", schema, value) {
				t.Errorf("%s: %s", path, fault)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d files, every %dth looked at", n, every)
}
