package place

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
)

// TestPlace: what is rewritten stays the same file, what is removed or replaced
// doesn't.
func TestPlace(t *testing.T) {
	for name, c := range map[string]struct {
		do    func(path string) error
		moved bool
	}{
		"untouched": {func(string) error { return nil }, false},
		"rewritten": {func(path string) error { return os.WriteFile(path, []byte("more"), 0o600) }, false},
		"removed":   {os.Remove, true},
		"replaced": {func(path string) error {
			return errors.Join(os.Rename(path, path+".old"), os.WriteFile(path, nil, 0o600))
		}, true},
	} {
		dir := t.TempDir()
		path := filepath.Join(dir, "file")
		if err := os.WriteFile(path, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		p, err := Of(dir, "file")
		if err != nil {
			t.Fatal(err)
		}
		if err := c.do(path); err != nil {
			t.Fatal(err)
		}
		if err := p.Check(); errors.Is(err, ErrMoved) != c.moved {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := Of(t.TempDir(), "nothing"); err == nil {
		t.Error("a file that isn't there was noted")
	}
}
