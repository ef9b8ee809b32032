package sqlite

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"postern/retry"
)

// TestPowerCut has an ext4 file system of its own shut down under the child,
// what was not flushed lost, as at a power cut. It needs root and a loop
// device. The negative control runs the same without fsync and must lose mail:
// else the test could not see a missing one.
func TestPowerCut(t *testing.T) {
	for _, c := range []struct {
		name   string
		unsafe bool
	}{{"fsync", false}, {"control without fsync", true}} {
		t.Run(c.name, func(t *testing.T) {
			img, mnt := loopDisk(t)
			dir := filepath.Join(mnt, "queue")
			j := newJournal()
			cmd := startChild(t, j, childOptions{dir: dir, unsafe: c.unsafe, prefix: "m"})
			<-j.ready
			for j.count() < 50 {
				time.Sleep(10 * time.Millisecond)
			}
			cutPower(t, mnt)
			killGroup(cmd)
			j.end(cmd)
			remount(t, img, mnt)
			lost, damaged := 0, 0
			if c.unsafe {
				if _, err := os.Stat(filepath.Join(dir, "queue.db")); err != nil {
					lost = len(j.acked)
				}
			}
			if lost == 0 {
				lost, damaged = account(t, dir, j)
			}
			t.Logf("%d acked, %d lost, %d damaged; the store was taken for damaged: %q", len(j.acked), lost, damaged, j.damage)
			if !c.unsafe && (lost != 0 || damaged != 0) {
				t.Errorf("of %d acked %d are lost; %d damaged", len(j.acked), lost, damaged)
			}
			if c.unsafe && lost+damaged == 0 {
				t.Error("nothing is lost without fsync: this test proves nothing")
			}
		})
	}
}

// lacks skips a test that this machine can't run; CI must be able to.
func lacks(t *testing.T, format string, args ...any) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatalf("CI must be able to run this: "+format, args...)
	}
	t.Skipf(format, args...)
}

// loopDisk mounts a small ext4 of its own.
func loopDisk(t *testing.T) (img, mnt string) {
	t.Helper()
	if os.Getuid() != 0 {
		lacks(t, "mounting a file system of its own takes root")
	}
	dir := t.TempDir()
	img, mnt = filepath.Join(dir, "disk.img"), filepath.Join(dir, "mnt")
	for _, args := range [][]string{{"truncate", "-s", "96M", img}, {"mkfs.ext4", "-q", img}, {"mkdir", mnt}, {"mount", "-o", "loop", img, mnt}} {
		if out, err := exec.Command(args[0], args[1:]...).CombinedOutput(); err != nil {
			lacks(t, "no loop disk here: %v: %s", args, out)
		}
	}
	t.Cleanup(func() { _ = exec.Command("umount", mnt).Run() })
	return img, mnt
}

// cutPower is FS_IOC_SHUTDOWN without flushing the journal.
func cutPower(t *testing.T, mnt string) {
	t.Helper()
	d, err := os.Open(mnt)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	const shutdown, noLogFlush = 0x8004587d, 2
	how := uint32(noLogFlush)
	if _, _, errno := unix.Syscall(unix.SYS_IOCTL, d.Fd(), shutdown, uintptr(unsafe.Pointer(&how))); errno != 0 {
		lacks(t, "this file system can't be shut down: %v", errno)
	}
}

func remount(t *testing.T, img, mnt string) {
	t.Helper()
	for _, args := range [][]string{{"umount", mnt}, {"mount", "-o", "loop", img, mnt}} {
		if out, err := exec.Command(args[0], args[1:]...).CombinedOutput(); err != nil {
			t.Fatalf("%v: %v: %s", args, err, out)
		}
	}
}

// tmpfs mounts a small disk.
func tmpfs(t *testing.T, size string) string {
	t.Helper()
	dir := t.TempDir()
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size="+size); err != nil {
		lacks(t, "mounting a small disk takes root: %v", err)
	}
	t.Cleanup(func() { _ = unix.Unmount(dir, 0) })
	return dir
}

func TestDiskFull(t *testing.T) {
	for _, c := range []struct {
		name string
		free int64
	}{{"to the last byte", -1}, {"to the floor", 4 << 20}} {
		t.Run(c.name, func(t *testing.T) {
			dir := filepath.Join(tmpfs(t, "16m"), "queue")
			q := open(t, dir, Options{MinFree: c.free})
			j := newJournal()
			fill(t, q, j, "m")
			settleSome(t, q, j, c.free > 0)
			if err := q.fatal.get(); err != nil {
				t.Fatalf("a full disk is no reason to give up: %v", err)
			}
			if n, err := q.Delete(context.Background(), retry.Filter{Endpoint: "e"}); c.free > 0 && (err != nil || n == 0) {
				t.Fatalf("Delete on a full disk: %d, %v", n, err)
			} else if err == nil {
				clear(j.acked)
			}
			if c.free > 0 {
				var err error // files go a moment after their rows
				for range 100 {
					if err = enqueueOne(q, "again", crashBody{data: crashContent("again", 2000)}); err == nil {
						break
					}
					time.Sleep(20 * time.Millisecond)
				}
				if err != nil {
					t.Errorf("after room was made: %v", err)
				}
				j.acked["again"] = true
			}
			if err := q.Close(); err != nil && c.free > 0 {
				t.Errorf("Close: %v", err)
			}
			if lost, damaged := account(t, dir, j); lost != 0 || damaged != 0 {
				t.Errorf("of %d acked %d are lost; %d damaged", len(j.acked), lost, damaged)
			}
		})
	}
}

// fill enqueues until the queue is full, small and large in turn.
func fill(t *testing.T, q *Queue, j *journal, prefix string) {
	t.Helper()
	for i, full := 0, 0; full < 4; i++ {
		id := fmt.Sprint(prefix, i)
		size := 2000
		if i%2 == 0 {
			size = 100 << 10
		}
		err := enqueueOne(q, id, crashBody{data: crashContent(id, size)})
		switch {
		case err == nil:
			j.acked[id] = true
		case errors.Is(err, retry.ErrFull):
			full++
		default:
			t.Fatalf("on a full disk: %v", err)
		}
		if i > 100000 {
			t.Fatal("the disk never fills up")
		}
	}
	if len(j.acked) < 20 {
		t.Fatalf("only %d fitted", len(j.acked))
	}
}

// settleSome acknowledges and postpones; with a floor it must succeed.
func settleSome(t *testing.T, q *Queue, j *journal, must bool) {
	t.Helper()
	ctx := context.Background()
	ls, err := q.Lease(ctx, retry.LeaseRequest{Max: 10, TTL: time.Minute})
	if err != nil && must {
		t.Fatalf("Lease on a full disk: %v", err)
	}
	for i, l := range ls {
		if i%2 == 0 {
			err = q.Ack(ctx, l, retry.Attempt{})
			j.sent[l.ID] = true
		} else {
			err = q.Retry(ctx, l, 0, retry.Attempt{At: time.Now(), Status: 503})
		}
		if err != nil && must {
			t.Fatalf("settling on a full disk: %v", err)
		}
		if err != nil && !errors.Is(err, retry.ErrFull) {
			t.Fatalf("settling on a full disk: %v", err)
		}
	}
}

// TestFailingDisk injects errors into the child's system calls.
func TestFailingDisk(t *testing.T) {
	strace, err := exec.LookPath("strace")
	if err != nil {
		lacks(t, "no strace here")
	}
	for _, c := range []struct {
		name, inject string
		fatal        bool
	}{
		{"EIO from fsync", "fsync,fdatasync:error=EIO:when=60+", true},
		{"EIO from one fsync", "fsync,fdatasync:error=EIO:when=60", true},
		{"EIO from writing the database", "pwrite64:error=EIO:when=300+", true},
		{"ENOSPC from writing the database", "pwrite64:error=ENOSPC:when=300..420", false},
		{"EIO from rename", "renameat,renameat2,rename:error=EIO:when=3", true},
		{"ENOSPC from link", "linkat,link:error=ENOSPC:when=2+", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "queue")
			j := newJournal()
			calls, _, _ := strings.Cut(c.inject, ":")
			cmd := startChild(t, j, childOptions{dir: dir, prefix: "m"}, strace, "-f", "-q", "-o", os.DevNull, "-e", "trace="+calls, "-e", "inject="+c.inject)
			for end := time.Now().Add(30 * time.Second); time.Now().Before(end) && !j.ended(); time.Sleep(20 * time.Millisecond) {
				if !c.fatal && j.count() >= 150 {
					killGroup(cmd) // it lives on, as it should
				}
			}
			killGroup(cmd)
			j.end(cmd)
			if len(j.acked) == 0 {
				lacks(t, "nothing was acked, so strace may not trace here: %v", j.other)
			}
			if j.fatal != c.fatal {
				t.Errorf("the child ended as unhealthy: %v, want %v; %v", j.fatal, c.fatal, j.other)
			}
			if lost, damaged := account(t, dir, j); lost != 0 || damaged != 0 {
				t.Errorf("of %d acked %d are lost; %d damaged", len(j.acked), lost, damaged)
			}
			t.Logf("%d acked, %d refused as full", len(j.acked), j.full)
		})
	}
}
