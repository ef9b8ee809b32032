package app

import (
	"os"
	"path/filepath"
	"testing"

	"postern/cmd/internal/config"
)

// TestSocketMode: a unix socket has the mode that was set, whatever the umask
// would make of it, and replaces one that nobody listens on.
func TestSocketMode(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lmtp")
	for _, mode := range []os.FileMode{0o666, 0o660, 0o600} {
		l, err := listen(config.Addr("unix:"+path), mode)
		if err != nil {
			t.Fatal(err)
		}
		info, err := os.Stat(path)
		if err != nil || info.Mode().Perm() != mode {
			t.Errorf("%v %v, want %v", info.Mode(), err, mode)
		}
		if _, err := listen(config.Addr("unix:"+path), mode); err == nil {
			t.Error("a socket in use was replaced")
		}
		l.Close()
	}
}
