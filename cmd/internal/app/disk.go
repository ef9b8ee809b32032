package app

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// diskSize is the size in octets of the file system that has the folder, or has
// the nearest folder above that exists; 0 where nobody knows.
func diskSize(dir string) int64 {
	var s syscall.Statfs_t
	for {
		err := syscall.Statfs(dir, &s)
		if err == nil {
			return int64(s.Blocks) * int64(s.Bsize)
		}
		above := filepath.Dir(dir)
		if !errors.Is(err, fs.ErrNotExist) || above == dir {
			return 0
		}
		dir = above
	}
}

// whoseFolder explains a folder that may not be written: whose it is, and who
// we are. A volume that belongs to root is the usual cause.
func whoseFolder(err error, dir string) string {
	if !errors.Is(err, fs.ErrPermission) {
		return ""
	}
	dir, _ = filepath.Abs(dir)
	info, statErr := os.Stat(dir)
	for errors.Is(statErr, fs.ErrNotExist) {
		dir = filepath.Dir(dir)
		info, statErr = os.Stat(dir)
	}
	if statErr != nil {
		return ""
	}
	owner, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return ""
	}
	return fmt.Sprintf(": %s belongs to user %d, group %d, mode %04o, and this process is user %d, group %d: chown the folder, or set fsGroup: %d in Kubernetes",
		dir, owner.Uid, owner.Gid, info.Mode().Perm(), os.Getuid(), os.Getgid(), os.Getgid())
}
