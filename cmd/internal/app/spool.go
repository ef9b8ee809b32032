package app

import (
	"fmt"
	"os"
	"path/filepath"
	"time"

	"postern/cmd/internal/config"
	"postern/gateway/spool"
)

// spooler puts spools into the store's folder, so that queueing a spooled body
// is a link.
func (a *App) spooler() (*spool.Spooler, error) {
	dir := a.cfg.Process.SpoolDir
	own := false
	if dir == "" {
		if folder := a.cfg.Delivery.Store.Folder(); folder != "" {
			dir, own = filepath.Join(folder, "spool"), true
		} else {
			made, err := os.MkdirTemp("", "postern-spool-")
			if err != nil {
				return nil, fmt.Errorf("%sSPOOL_DIR is not set and no temporary folder can be made: %w", config.Prefix, err)
			}
			dir = made
			a.onClose("the spool", func() error { return os.RemoveAll(made) })
		}
	}
	s, err := spool.New(dir, spool.DefaultMemory, int64(a.cfg.Process.SpoolMaxBytes), a.budget)
	if err != nil {
		return nil, err
	}
	age := strayAge
	if own {
		age = 0 // the store's lock says that nobody else is here
	}
	return s, s.Sweep(time.Now().Add(-age))
}

// strayAge is when a spool file in a shared folder is nobody's any more: no
// session lives as long.
const strayAge = 24 * time.Hour
