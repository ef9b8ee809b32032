package spool

import (
	"os"

	"golang.org/x/sys/unix"
)

// startWriteBack sends n octets of the file on their way to the disk.
func startWriteBack(f *os.File, from, n int64) {
	_ = unix.SyncFileRange(int(f.Fd()), from, n, unix.SYNC_FILE_RANGE_WRITE)
}

// writeBack waits until n octets of the file are on the disk. It makes nothing
// durable, so its error matters to nobody: a failing disk fails the next Write.
func writeBack(f *os.File, from, n int64) {
	_ = unix.SyncFileRange(int(f.Fd()), from, n, unix.SYNC_FILE_RANGE_WAIT_BEFORE|unix.SYNC_FILE_RANGE_WRITE|unix.SYNC_FILE_RANGE_WAIT_AFTER)
}
