package page

import (
	"context"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"postern/gateway/ops/change"
)

const (
	bulkSoon = 2 * time.Second // a change that takes longer is shown on its way
	askAgain = "2"             // seconds until its view is loaded anew, with or without a script
)

// bulk is a change of many deliveries on its way. It goes on when its browser
// leaves, and ends with the page.
type bulk struct {
	action string // of actions
	back   string
	total  atomic.Int64 // -1 while they are counted
	n      atomic.Int64
	ended  chan struct{}
	err    error // once it ended
}

// bulks is what is on its way; one at a time.
type bulks struct {
	mu   sync.Mutex
	last *bulk
	wg   sync.WaitGroup
}

// begin starts a change, unless one is on its way.
func (p *Page) begin(action, back string, r change.Request, told func(n int)) (*bulk, bool) {
	p.bulks.mu.Lock()
	defer p.bulks.mu.Unlock()
	if b := p.bulks.last; b != nil && !b.over() {
		return b, false
	}
	b := &bulk{action: action, back: back, ended: make(chan struct{})}
	b.total.Store(-1)
	p.bulks.last = b
	ctx, cancel := context.WithCancel(context.Background())
	p.bulks.wg.Go(func() {
		defer cancel()
		select {
		case <-p.ended:
		case <-b.ended:
		}
	})
	p.bulks.wg.Go(func() {
		defer close(b.ended)
		b.err = p.change(ctx, b, r)
		told(int(b.n.Load()))
	})
	return b, true
}

// change does it, so that it can be watched.
func (p *Page) change(ctx context.Context, b *bulk, r change.Request) error {
	total, err := p.deps.Change.Count(ctx, r)
	if err != nil {
		return err
	}
	b.total.Store(int64(total))
	n, err := p.deps.Change.Do(ctx, r, func(n int) { b.n.Store(int64(n)) })
	b.n.Store(int64(n))
	return err
}

func (b *bulk) over() bool {
	select {
	case <-b.ended:
		return true
	default:
		return false
	}
}

// soon waits a moment for a change to end, and says whether it did.
func (b *bulk) soon(ctx context.Context) bool {
	select {
	case <-b.ended:
		return true
	case <-time.After(bulkSoon):
	case <-ctx.Done():
	}
	return b.over()
}

type bulkView struct {
	Title    string
	N, Total int64
	Over     bool
	Error    string
	Back     string
}

// bulkProgress shows how far a change is; only the process that makes it knows.
func (p *Page) bulkProgress(w http.ResponseWriter, r *http.Request) error {
	p.bulks.mu.Lock()
	b := p.bulks.last
	p.bulks.mu.Unlock()
	if b == nil {
		return problem{http.StatusNotFound, "This process changes nothing. Where several serve the page, another may be at it: the queue's counts show how far it is, and once it is done the log of the process that did it has a line \"operator\"."}
	}
	v := bulkView{Title: actions[b.action].Title, Over: b.over(), N: b.n.Load(), Total: b.total.Load(), Back: b.back}
	if !v.Over {
		w.Header().Set("Refresh", askAgain)
	} else if b.err != nil {
		v.Error = b.err.Error()
	}
	p.show(w, r, http.StatusOK, "bulk", v.Title, v)
	return nil
}
