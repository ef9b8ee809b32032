package app

import (
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"postern/cmd/internal/config"
	"postern/gateway/spool"
)

// chooseSpoolDir puts spools into the store's folder, so that queueing a spooled
// body is a link.
func (a *App) chooseSpoolDir() error {
	a.spoolDir = a.cfg.Process.SpoolDir
	storeOwn := ""
	if folder := a.cfg.Delivery.Store.Folder(); folder != "" {
		storeOwn = filepath.Join(folder, "spool")
	}
	if a.spoolDir == "" {
		a.spoolDir = storeOwn
	}
	if a.spoolDir == "" {
		made, err := os.MkdirTemp("", "postern-spool-")
		if err != nil {
			return fmt.Errorf("%sSPOOL_DIR is not set and no temporary folder can be made: %w", config.Prefix, err)
		}
		a.spoolDir = made
		a.onClose("the spool", func() error { return os.RemoveAll(made) })
	}
	a.spoolOwn = filepath.Clean(a.spoolDir) == storeOwn
	a.cfg.Process.SpoolMaxBytes = spoolBound(a.cfg.Process.SpoolMaxBytes, diskSize(a.spoolDir))
	return nil
}

func (a *App) spooler() (*spool.Spooler, error) {
	s, err := spool.New(a.spoolDir, spool.DefaultMemory, int64(a.cfg.Process.SpoolMaxBytes), a.budget)
	if err != nil {
		return nil, fmt.Errorf("%w%s", err, whoseFolder(err, a.spoolDir))
	}
	age := strayAge
	if a.spoolOwn {
		age = 0 // the store's lock says that nobody else is here
	}
	return s, s.Sweep(time.Now().Add(-age))
}

// The bound on what is under way where none is set: so much, or the disk's
// share of it where the disk is small.
const (
	defaultSpool = 2 << 30
	spoolShare   = 2
)

// spoolBound is the bound that is set, else what the disk (its size in octets, 0
// unknown) has room for.
func spoolBound(set config.Size, disk int64) config.Size {
	switch {
	case set > 0:
		return set
	case disk > 0:
		return config.Size(min(defaultSpool, disk/spoolShare))
	default:
		return defaultSpool
	}
}

// disk asks for the volume where mail waits: the store's, else the spool's.
func (a *App) disk(spooler *spool.Spooler) func() (available, size int64, err error) {
	dir := spooler.Dir()
	if folder := a.cfg.Delivery.Store.Folder(); folder != "" {
		dir = folder
	}
	return func() (available, size int64, err error) {
		var s syscall.Statfs_t
		if err := syscall.Statfs(dir, &s); err != nil {
			return 0, 0, err
		}
		return int64(s.Bavail) * int64(s.Bsize), int64(s.Blocks) * int64(s.Bsize), nil
	}
}

// strayAge is when a spool file in a shared folder is nobody's any more: no
// session lives as long.
const strayAge = 24 * time.Hour
