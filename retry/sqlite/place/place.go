// Package place knows the files that are open from those that stand where they
// were opened. When a folder is emptied, or another volume is mounted over it,
// writing goes on without an error into files that are gone with the process.
package place

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// ErrMoved is returned when a folder isn't the one that was opened.
var ErrMoved = errors.New("the queue's files were removed or replaced while it runs")

// Place is files of a folder as they were opened, by their paths.
type Place map[string]fs.FileInfo

// Of notes which files of a folder are open.
func Of(dir string, names ...string) (Place, error) {
	p := Place{}
	for _, name := range names {
		path := filepath.Join(dir, name)
		info, err := os.Stat(path)
		if err != nil {
			return nil, err
		}
		p[path] = info
	}
	return p, nil
}

// Check holds the folder to the files that were opened: nil, or ErrMoved with
// the first that differs.
func (p Place) Check() error {
	for path, was := range p {
		if is, err := os.Stat(path); err != nil || !os.SameFile(was, is) {
			return fmt.Errorf("%w: %s; put them back if you can, and restart the program", ErrMoved, path)
		}
	}
	return nil
}
