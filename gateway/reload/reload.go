// Package reload keeps the last good value of files that change while the
// program runs: certificates, authorities, users, secrets.
//
// Open fails when the files can't be read or used, so a program doesn't start
// with less than it was told. From then on Get always has a value and never an
// error: it looks at the files about once a second and reads them again when
// they changed. Files that are missing, half written or broken leave the last
// good value, which is logged once for each new reason; they are tried again
// every second until they can be used.
package reload

import (
	"log/slog"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// Every is how often the files are looked at: a rotated secret holds after a
// second, and a busy gateway doesn't ask the file system for every message.
const Every = time.Second

// Deps are what a File works with; each has a default.
type Deps struct {
	Logger *slog.Logger     // nil: nobody is told of broken files
	Now    func() time.Time // time.Now
}

// File is a value that is read from one or more files. It is safe for
// concurrent use.
type File[T any] struct {
	deps  Deps
	read  func() (T, error)
	paths []string
	value atomic.Pointer[T]

	mu     sync.Mutex
	looked time.Time
	seen   []os.FileInfo // of the files that value was read from; nil: read again
	fault  string        // why the files can't be used, "" if they can
}

// Open reads the value for the first time. read is called again whenever one of
// the paths has changed, by one caller at a time.
func Open[T any](deps Deps, read func() (T, error), paths ...string) (*File[T], error) {
	var none T
	f := From(deps, none, read, paths...)
	return f, f.load(f.deps.Now())
}

// From begins with a value that was read from the files before.
func From[T any](deps Deps, value T, read func() (T, error), paths ...string) *File[T] {
	if deps.Logger == nil {
		deps.Logger = slog.New(slog.DiscardHandler)
	}
	if deps.Now == nil {
		deps.Now = time.Now
	}
	f := &File[T]{deps: deps, read: read, paths: paths}
	f.value.Store(&value)
	return f
}

// Get is the value of the files as they are, or as they last could be used. It
// waits for nobody: while one caller reads, the others take what holds.
func (f *File[T]) Get() T {
	if f.mu.TryLock() {
		f.look(f.deps.Now())
		f.mu.Unlock()
	}
	return *f.value.Load()
}

// look reads the files again when it is time and they have changed.
func (f *File[T]) look(now time.Time) {
	if now.Sub(f.looked) < Every || f.unchanged() {
		return
	}
	err := f.load(now)
	switch {
	case err == nil && f.fault != "":
		f.deps.Logger.Info("a file can be used again", "files", f.paths)
		f.fault = ""
	case err != nil && f.fault != err.Error():
		f.fault = err.Error()
		f.deps.Logger.Error("a file that changed can't be used; what it held before goes on", "files", f.paths, "err", err)
	}
}

// load reads the files. A file that changed just now may change again within
// the clock of the file system, so it counts as not seen yet.
func (f *File[T]) load(now time.Time) error {
	f.looked, f.seen = now, nil
	seen, settled := f.stat(now)
	value, err := f.read()
	if err != nil {
		return err
	}
	f.value.Store(&value)
	if settled {
		f.seen = seen
	}
	return nil
}

// stat looks at the files; settled reports that all are there and that none
// changed within the last moments.
func (f *File[T]) stat(now time.Time) (seen []os.FileInfo, settled bool) {
	settled = true
	for _, path := range f.paths {
		info, err := os.Stat(path) // follows Kubernetes' symbolic links, which are exchanged
		if err != nil {
			return nil, false
		}
		seen = append(seen, info)
		settled = settled && now.Sub(info.ModTime()).Abs() > Every
	}
	return seen, settled
}

// unchanged reports whether the files are those that the value was read from.
func (f *File[T]) unchanged() bool {
	if f.seen == nil {
		return false
	}
	for i, path := range f.paths {
		info, err := os.Stat(path)
		if err != nil || !os.SameFile(info, f.seen[i]) || !info.ModTime().Equal(f.seen[i].ModTime()) || info.Size() != f.seen[i].Size() {
			return false
		}
	}
	f.looked = f.deps.Now()
	return true
}
