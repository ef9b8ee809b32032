package content

import (
	"context"
	"net/http"
	"testing"
	"time"

	"postern/retry"
)

// busy has no room for readers aside.
type busy struct{}

func (busy) OpenMessage(ctx context.Context, _ string) (retry.Message, retry.StoredBody, error) {
	if !retry.IsAside(ctx) {
		return retry.Message{}, nil, retry.ErrNotFound
	}
	return retry.Message{}, nil, retry.ErrBusy
}

// A client comes again where deliveries need the room.
func TestBusy(t *testing.T) {
	srv, urls := contentServer(t, busy{})
	resp, _ := get(t, srv, path(t, urls.Raw("m1")))
	if resp.StatusCode != http.StatusServiceUnavailable || resp.Header.Get("Retry-After") == "" {
		t.Errorf("%d %v", resp.StatusCode, resp.Header)
	}
}

// A client may pause, but not take an octet now and then for ever.
func TestDeadline(t *testing.T) {
	began := time.Now()
	for _, c := range []struct {
		after time.Duration
		sent  int64
		want  time.Duration // from the start; 0: contentStall from now
	}{
		{0, 0, 0},
		{time.Minute, 0, 0},
		{115 * time.Second, 32 << 10, 124 * time.Second},
		{time.Hour, 1 << 30, 0},
		{time.Hour, 16 << 20, slowStart + (16<<20/leastRate+2)*time.Second},
	} {
		p := &patientWriter{began: began, sent: c.sent}
		want := began.Add(c.want)
		if c.want == 0 {
			want = began.Add(c.after + contentStall)
		}
		if got := p.deadline(began.Add(c.after), 32<<10); !got.Equal(want) {
			t.Errorf("after %s and %d octets: until %s, want %s", c.after, c.sent, got.Sub(began), want.Sub(began))
		}
	}
}
