package webhook

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"postern/webhook/payload"
)

// links counts what it is asked to keep.
type links struct {
	kept []string
	err  error
}

func (l *links) Attachment(id string, i int, name string) string {
	return fmt.Sprintf("https://mx.example/%s/%d/%s", id, i, name)
}
func (l *links) Raw(id string) string { return "https://mx.example/" + id }
func (l *links) Keep(_ context.Context, id string) error {
	l.kept = append(l.kept, id)
	return l.err
}

func TestTooLargeGoesOnceMoreByURL(t *testing.T) {
	var sizes []int64
	srv := serve(t, func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		sizes = append(sizes, r.ContentLength)
		if len(b) > 10<<10 {
			w.WriteHeader(http.StatusRequestEntityTooLarge)
		}
	})
	ep := endpoint(t, Config{URL: srv.URL})
	d, l := delivery(100<<10), &links{}
	if o := sender(t).Send(t.Context(), ep, d, false); o.Reason != ReasonTooLarge || o.Result != Rejected || len(sizes) != 1 {
		t.Errorf("without urls: %+v, %v", o, sizes)
	}
	sizes, d.Links = nil, l
	if o := sender(t).Send(t.Context(), ep, d, false); o.Result != Delivered || len(sizes) != 2 || !slices.Equal(l.kept, []string{"m1"}) {
		t.Errorf("with urls: %+v, %v, kept %v", o, sizes, l.kept)
	}
	sizes, d.Message.Attachments = nil, nil
	d.Message.Text = strings.Repeat("x", 100<<10)
	if o := sender(t).Send(t.Context(), ep, d, false); o.Reason != ReasonTooLarge || len(sizes) != 1 {
		t.Errorf("with nothing to leave out: %+v, %v", o, sizes)
	}
	sizes, l.err = nil, errors.New("disk full")
	d = delivery(100 << 10)
	d.Links = l
	if o := sender(t).Send(t.Context(), endpoint(t, Config{URL: srv.URL, Attachments: payload.URL}), d, false); o.Reason != ReasonRender || len(sizes) != 0 {
		t.Errorf("what can't be kept is posted: %+v, %v", o, sizes)
	}
}
