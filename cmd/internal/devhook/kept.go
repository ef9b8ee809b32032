package devhook

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"postern/webhook"
)

// Keep is how many requests are kept.
const Keep = 20

// Request is a request as it came.
type Request struct {
	At     time.Time   `json:"at"`
	URL    string      `json:"url"` // where it was handed on to
	Method string      `json:"method"`
	Header http.Header `json:"header"`
	Body   []byte      `json:"body"`
}

// ID is its webhook-id, else its time.
func (r Request) ID() string {
	id := strings.Map(func(c rune) rune {
		if c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '_' || c == '-' {
			return c
		}
		return -1
	}, r.Header.Get(webhook.HeaderID))
	return cmp.Or(id, r.At.UTC().Format("20060102T150405.000"))
}

// Kept is a folder with the last requests, a file each; a request that comes
// again takes the place of the one before. What is in it can be read by its
// owner alone: it is mail.
type Kept struct {
	Folder string

	mu sync.Mutex
}

// keptSuffix is the end of a kept request's file name.
const keptSuffix = ".request.json"

// Add keeps a request and forgets the oldest above Keep.
func (k *Kept) Add(r Request) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if err := os.MkdirAll(k.Folder, 0o700); err != nil {
		return err
	}
	content, err := json.Marshal(r)
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(k.Folder, r.ID()+keptSuffix), content, 0o600); err != nil {
		return err
	}
	files, err := k.files()
	for len(files) > Keep && err == nil {
		err = os.Remove(filepath.Join(k.Folder, files[0].Name()))
		files = files[1:]
	}
	return err
}

// files are those of the kept requests, the oldest first.
func (k *Kept) files() ([]fs.FileInfo, error) {
	entries, err := os.ReadDir(k.Folder)
	if err != nil {
		return nil, err
	}
	var files []fs.FileInfo
	for _, e := range entries {
		if !strings.HasSuffix(e.Name(), keptSuffix) {
			continue
		}
		info, err := e.Info()
		if err != nil {
			return nil, err
		}
		files = append(files, info)
	}
	slices.SortStableFunc(files, func(a, b fs.FileInfo) int { return a.ModTime().Compare(b.ModTime()) })
	return files, nil
}

// Find is the kept request with the id, or the only one whose id begins so;
// "last" is the one that came last.
func (k *Kept) Find(id string) (r Request, err error) {
	files, err := k.files()
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return r, err
	}
	var all, fit []string
	for _, f := range slices.Backward(files) {
		name := strings.TrimSuffix(f.Name(), keptSuffix)
		all = append(all, name)
		if name == id {
			fit = []string{name}
			break
		}
		if strings.HasPrefix(name, id) || strings.HasPrefix(name, "msg_"+id) {
			fit = append(fit, name)
		}
	}
	switch {
	case len(all) == 0:
		return r, errors.New("no request was kept: listen --forward keeps them")
	case id == "last":
		fit = all[:1]
	case len(fit) == 0:
		return r, fmt.Errorf("%s was not kept; the last ones are %s", id, strings.Join(all, ", "))
	case len(fit) > 1:
		return r, fmt.Errorf("%s is the beginning of several ids: %s", id, strings.Join(fit, ", "))
	}
	content, err := os.ReadFile(filepath.Join(k.Folder, fit[0]+keptSuffix))
	if err == nil {
		err = json.Unmarshal(content, &r)
	}
	return r, err
}
