package sqlite

import (
	"fmt"
	"syscall"

	"postern/retry"
)

// checkDisk refuses n bytes that would leave too little of the disk free:
// settling and deleting must still find room.
func (q *Queue) checkDisk(n int64) error {
	if q.o.MinFree < 0 {
		return nil
	}
	var s syscall.Statfs_t
	if err := syscall.Statfs(q.dir, &s); err != nil {
		return fmt.Errorf("asking for the disk's free space: %w", err)
	}
	free, size := int64(s.Bavail)*int64(s.Bsize), int64(s.Blocks)*int64(s.Bsize)
	floor := q.o.MinFree
	if floor == 0 {
		floor = max(size/20, 256<<20+2*q.o.MaxMessage)
	}
	if free-n < floor {
		return fmt.Errorf("%w: %d bytes of the disk are free and %d must stay so", retry.ErrFull, free, floor)
	}
	return nil
}
