package app

import (
	"io/fs"
	"path/filepath"
	"strings"
	"testing"

	"postern/cmd/internal/config"
)

func TestSpoolBound(t *testing.T) {
	for _, c := range []struct {
		set  config.Size
		disk int64
		want config.Size
	}{
		{0, 0, 2 << 30},
		{0, 1 << 40, 2 << 30},
		{0, 1 << 30, 512 << 20},
		{3 << 30, 1 << 30, 3 << 30},
	} {
		if got := spoolBound(c.set, c.disk); got != c.want {
			t.Errorf("spoolBound(%s, %d) = %s, want %s", c.set, c.disk, got, c.want)
		}
	}
}

func TestDiskSize(t *testing.T) {
	dir := t.TempDir()
	if here, below := diskSize(dir), diskSize(filepath.Join(dir, "not", "yet")); here <= 0 || below != here {
		t.Errorf("the disk has %d octets, and %d from below", here, below)
	}
}

func TestWhoseFolder(t *testing.T) {
	if said := whoseFolder(fs.ErrPermission, t.TempDir()); !strings.Contains(said, "belongs to user") || !strings.Contains(said, "fsGroup") {
		t.Errorf("it says %q", said)
	}
	if said := whoseFolder(fs.ErrNotExist, t.TempDir()); said != "" {
		t.Errorf("another error says %q", said)
	}
}
