package retry_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"testing"
	"time"

	"postern/retry"
)

func TestAdmin(t *testing.T) {
	ctx := context.Background()
	q := openQueue(t)
	defer q.Close()
	a := retry.NewAdmin(q, nil)
	put(t, q, "m1", "a")
	put(t, q, "m2", "b")
	l, err := q.LeaseID(ctx, "m1", time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	if err := q.Dead(ctx, l, "rejected", retry.Attempt{At: time.Now(), Status: 406}); err != nil {
		t.Fatal(err)
	}
	list, err := a.List(ctx, retry.Filter{}, retry.Page{Size: 1})
	if err != nil || len(list.Deliveries) != 1 || list.Next == "" {
		t.Fatalf("List = %+v, %v", list, err)
	}
	if list, err = a.List(ctx, retry.Filter{Endpoint: "none"}, retry.Page{}); err != nil {
		t.Fatal(err)
	}
	if out, _ := json.Marshal(list); string(out) != `{"deliveries":[]}` {
		t.Errorf("an empty list is %s", out)
	}
	s, err := a.Show(ctx, "m1")
	if err != nil || s.State != retry.Dead || len(s.History) != 1 {
		t.Errorf("Show = %+v, %v", s, err)
	}
	if _, err := a.Show(ctx, "none"); !errors.Is(err, retry.ErrNotFound) {
		t.Errorf("Show of nothing: %v", err)
	}
	var eml bytes.Buffer
	if err := a.Export(ctx, "m1", &eml); err != nil || eml.Len() != 102 {
		t.Errorf("Export wrote %d bytes, %v", eml.Len(), err)
	}
	if err := a.Pause(ctx, "b", time.Hour, "deploy"); err != nil {
		t.Fatal(err)
	}
	o, err := a.Overview(ctx)
	if err != nil || o.Messages != 2 || o.DeadByReason["rejected"] != 1 || !o.Endpoints["b"].Paused || o.Endpoints["a"].Dead != 1 || !o.Healthy || o.OldestDue == nil {
		t.Errorf("Overview = %+v, %v", o, err)
	}
	if c, err := a.Replay(ctx, retry.Filter{State: retry.Dead}, ""); err != nil || c.Count != 1 {
		t.Errorf("Replay = %+v, %v", c, err)
	}
	if err := a.Resume(ctx, "b"); err != nil {
		t.Fatal(err)
	}
	if _, err := a.Delete(ctx, retry.Filter{}); !errors.Is(err, retry.ErrNoFilter) {
		t.Errorf("Delete of everything by accident: %v", err)
	}
	if c, err := a.Delete(ctx, retry.Filter{All: true}); err != nil || c.Count != 2 {
		t.Errorf("Delete = %+v, %v", c, err)
	}
	if a.Pause(ctx, "", 0, "") == nil || a.Resume(ctx, "") == nil {
		t.Error("an endpoint without a name is taken")
	}
}
