package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"postern/gateway/text"
)

// endpointCount counts deliveries by endpoint while somebody watches.
type endpointCount struct {
	mu    sync.Mutex
	total int
	by    map[string]int
}

func (t *endpointCount) add(name string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.by == nil {
		t.by = map[string]int{}
	}
	t.by[name]++
	t.total++
}

func (t *endpointCount) n() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.total
}

// line is how far the count is.
func (t *endpointCount) line() string { return fmt.Sprintf("counting … %d", t.n()) }

// parts are the counts by name, "" for none.
func (t *endpointCount) parts() string {
	var all []string
	for _, name := range slices.Sorted(maps.Keys(t.by)) {
		all = append(all, fmt.Sprintf("%s %d", text.Terminal(name), t.by[name]))
	}
	if len(all) == 0 {
		return ""
	}
	return " (" + strings.Join(all, ", ") + ")"
}
