package ops

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"postern/gateway/again"
	"postern/retry"
)

// fakeAgain sends "m1" alone.
type fakeAgain struct{ asked []again.Request }

func (f *fakeAgain) Send(_ context.Context, r again.Request) ([]again.Delivery, error) {
	f.asked = append(f.asked, r)
	switch {
	case r.Message != "m1":
		return nil, again.ErrNotFound
	case r.Endpoint == "nowhere":
		return nil, fmt.Errorf("%w: there is no endpoint nowhere", again.ErrRequest)
	case r.SameID:
		return nil, again.ErrWaits
	}
	return []again.Delivery{{ID: "wh9", Endpoint: "app", Recipients: []string{"a@in.example"}}}, nil
}

type fakeForgetter struct{ forgot []string }

func (f *fakeForgetter) Names(context.Context, string) (int, int, error) { return 3, 2, nil }
func (f *fakeForgetter) Forget(_ context.Context, address string) (int, int, error) {
	f.forgot = append(f.forgot, address)
	return 3, 2, nil
}

// audited are the audit's lines of a log.
func audited(t *testing.T, log *bytes.Buffer) (lines []map[string]any) {
	t.Helper()
	for line := range strings.Lines(log.String()) {
		var v map[string]any
		if err := json.Unmarshal([]byte(line), &v); err != nil {
			t.Fatal(err)
		}
		if v["msg"] == "operator" {
			lines = append(lines, v)
		}
	}
	log.Reset()
	return lines
}

func auditedServer(t *testing.T, q Queue) (*httptest.Server, *bytes.Buffer, *fakeAgain, *fakeForgetter) {
	var log bytes.Buffer
	r, f := &fakeAgain{}, &fakeForgetter{}
	srv := newTestServer(t, q, func(_ *Config, d *Deps) {
		d.Logger, d.Again, d.Forgetter = slog.New(slog.NewJSONHandler(&log, nil)), r, f
	})
	return srv, &log, r, f
}

func TestSendAgain(t *testing.T) {
	srv, log, r, _ := auditedServer(t, testQueue(t))
	for _, c := range []struct {
		path, body string
		status     int
	}{
		{"m1/send", "", 200}, {"m1/send", `{"to":"app","recipients":["a@in.example"]}`, 200}, {"m1/send", `{"to":"nowhere"}`, 400}, {"m1/send", `{"same_id":true}`, 409},
		{"m9/send", "", 404}, {"m1/send", `{"endpoint":"app"}`, 400}, {"m1/send?to=app", "", 400}, {"m1/send", `{"recipients":[]}`, 400},
	} {
		status, v := ask(t, srv, "POST", "/api/v1/messages/"+c.path, c.body)
		if status != c.status || status == 200 && v["sent"] != 1.0 || status != 200 && v["detail"] == "" {
			t.Errorf("%s %s: %d %v", c.path, c.body, status, v)
		}
	}
	if len(r.asked) != 5 || r.asked[1].Endpoint != "app" || !slices.Equal(r.asked[1].Recipients, []string{"a@in.example"}) || !strings.HasPrefix(r.asked[0].By, "token:") {
		t.Errorf("%+v", r.asked)
	}
	lines := audited(t, log)
	if len(lines) != 2 || lines[1]["did"] != "sent again" || lines[1]["message"] != "m1" || lines[1]["to"] != "app" || lines[1]["via"] != "api" || lines[1]["count"] != 1.0 || lines[1]["client"] != "127.0.0.1" {
		t.Errorf("%v", lines)
	}
}

// Every change has one line, with who and what and how many; none has a secret,
// and what changes nothing has none.
func TestAudit(t *testing.T) {
	srv, log, _, f := auditedServer(t, testQueue(t))
	v := visit(t, srv)
	v.signIn()
	for _, c := range []struct {
		do        func()
		did, more string
	}{
		{func() { ask(t, srv, "POST", "/api/v1/retry", `{"endpoint":"app"}`) }, "retried", `"endpoint":"app"`},
		{func() { ask(t, srv, "POST", "/api/v1/replay", `{"all":true,"to":"crm"}`) }, "replayed", `"to":"crm"`},
		{func() { ask(t, srv, "POST", "/api/v1/endpoints/app/pause", `{"why":"deploy\n"}`) }, "paused", `"why":"deploy"`},
		{func() { ask(t, srv, "POST", "/api/v1/endpoints/app/resume", "") }, "resumed", `"endpoint":"app"`},
		{func() { ask(t, srv, "POST", "/api/v1/forget", `{"address":"ann@sender.example"}`) }, "forgot", `"count":5`},
		{func() { v.post("/endpoints/app", "do", "pause", "why", "x") }, "paused", `"via":"page"`},
		{func() { v.post("/endpoints/app", "do", "resume") }, "resumed", `"by":"session:`},
		{func() { v.post("/queue", "do", "retry", "state", "due", "sure", "yes") }, "retried", `"filter":"state=due"`},
		{func() { ask(t, srv, "POST", "/api/v1/delete", `{"ids":["d1"]}`) }, "deleted", `"ids":"d1"`},
		{func() { ask(t, srv, "POST", "/api/v1/replay?dry_run=true", `{"all":true}`) }, "", ""},
		{func() { ask(t, srv, "POST", "/api/v1/forget?dry_run=true", `{"address":"ann@sender.example"}`) }, "", ""},
		{func() { ask(t, srv, "POST", "/api/v1/delete", `{}`) }, "", ""},
		{func() { v.post("/queue", "do", "delete", "state", "dead") }, "", ""},
	} {
		log.Reset()
		c.do()
		text := log.String()
		lines := audited(t, log)
		if c.did == "" && len(lines) == 0 {
			continue
		}
		if len(lines) != 1 || lines[0]["did"] != c.did || lines[0]["count"] == nil || lines[0]["by"] == "" || !strings.Contains(text, c.more) || strings.Contains(text, testToken) || strings.Contains(text, "ann@") {
			t.Errorf("%s %s: %s", c.did, c.more, text)
		}
	}
	if !slices.Equal(f.forgot, []string{"ann@sender.example"}) {
		t.Errorf("forgot %v", f.forgot)
	}
}

// failingAgain can't send.
type failingAgain struct{ err error }

func (f *failingAgain) Send(context.Context, again.Request) ([]again.Delivery, error) {
	return nil, f.err
}

// The page says what the store said, and doesn't call one away that answered.
func TestPageTellsFullFromAway(t *testing.T) {
	f := &failingAgain{}
	srv := newTestServer(t, testQueue(t), func(_ *Config, d *Deps) { d.Again = f })
	v := visit(t, srv)
	v.signIn()
	for _, c := range []struct {
		err    error
		status int
		says   string
	}{{retry.ErrFull, 507, "The queue is full"}, {fmt.Errorf("m1: %w", retry.ErrCorrupt), 500, "The stored message is damaged"}, {retry.ErrUnhealthy, 503, "The store doesn&#39;t answer"}} {
		f.err = c.err
		resp, body := v.post("/messages/m1", "do", "send")
		if resp.StatusCode != c.status || !strings.Contains(body, c.says) {
			t.Errorf("%v: %d %s", c.err, resp.StatusCode, body)
		}
	}
}

// A process that changes nothing doesn't say that nobody does: behind a Service
// another may.
func TestChangeOfAnotherProcess(t *testing.T) {
	v := visit(t, newTestServer(t, testQueue(t), nil))
	v.signIn()
	resp, body := v.get("/queue/change")
	if resp.StatusCode != 404 || !strings.Contains(body, "another may be at it") || !strings.Contains(body, "operator") || strings.Contains(body, "Nothing is being changed") {
		t.Errorf("%d %s", resp.StatusCode, body)
	}
}

// A dry run counts kept mail too: a real one erases it.
func TestForgetCountsWhatIsKept(t *testing.T) {
	srv, _, _, f := auditedServer(t, testQueue(t))
	status, v := ask(t, srv, "POST", "/api/v1/forget?dry_run=true", `{"address":"ann@sender.example"}`)
	if status != 200 || v["count"] != 5.0 || v["records"] != 3.0 || v["messages"] != 2.0 || len(f.forgot) > 0 {
		t.Errorf("%d %v, forgot %v", status, v, f.forgot)
	}
}

// A field that is there and says nothing, such as a script's unset variable, never
// selects what it was to leave out.
func TestEmptyFilterFields(t *testing.T) {
	q := testQueue(t)
	srv := newTestServer(t, q, nil)
	before, _ := retry.Count(t.Context(), q, retry.Filter{}, 0)
	for field, values := range map[string][]string{
		"ids": {`[]`, `null`}, "message_id": {`""`, `null`}, "state": {`""`, `null`}, "endpoint": {`""`, `null`}, "recipient": {`""`, `null`},
		"reason": {`""`, `null`}, "before": {`null`, `"0001-01-01T00:00:00Z"`},
	} {
		for _, value := range values {
			for _, other := range []string{``, `"all":true,`, `"message_id":"m1",`} {
				body := `{` + other + `"` + field + `":` + value + `}`
				for _, path := range []string{"delete", "replay", "retry", "delete?dry_run=true"} {
					status, v := ask(t, srv, "POST", "/api/v1/"+path, body)
					if detail, _ := v["detail"].(string); status != 400 || !strings.HasPrefix(detail, field+" is empty") {
						t.Errorf("%s %s: %d %v", path, body, status, v)
					}
				}
			}
		}
	}
	if after, _ := retry.Count(t.Context(), q, retry.Filter{}, 0); after != before {
		t.Errorf("%d of %d are left", after, before)
	}
	if status, v := ask(t, srv, "POST", "/api/v1/delete", `{"state":"dead","endpoint":"crm"}`); status != 200 || v["deleted"] == 0.0 {
		t.Errorf("fields that say something: %d %v", status, v)
	}
}

// A dry run counts what the same request would change, and changes nothing.
func TestDryRun(t *testing.T) {
	due := func(id string, s retry.State) retry.Info { return retry.Info{ID: id, Endpoint: "app", State: s} }
	q := newMemQueue(due("d1", retry.Due), due("d2", retry.Due), due("d3", retry.Dead), due("d4", retry.Leased))
	srv := newTestServer(t, q, nil)
	for _, c := range []struct {
		path, body string
		status     int
		count      any
	}{
		{"retry", `{"endpoint":"app"}`, 200, 2.0}, {"replay", `{"endpoint":"app"}`, 200, 1.0}, {"delete", `{"endpoint":"app"}`, 200, 3.0}, {"retry", `{"state":"dead"}`, 200, 0.0},
		{"delete", `{}`, 400, nil}, {"delete", `{"all":true}`, 200, 3.0}, {"retry", `{"ids":["d2","d3"]}`, 200, 1.0},
	} {
		if status, v := ask(t, srv, "POST", "/api/v1/"+c.path+"?dry_run=true", c.body); status != c.status || v["count"] != c.count {
			t.Errorf("%s %s: %d %v", c.path, c.body, status, v)
		}
	}
	for _, query := range []string{"dry_run=perhaps", "dry_run", "dry_run=", "dry_run=true;x=1", "dry_run=%zz", "dry_run=false&dry_run=true"} {
		if status, _ := ask(t, srv, "POST", "/api/v1/delete?"+query, `{"all":true}`); status != 400 {
			t.Errorf("%s: %d", query, status)
		}
	}
	if n, _ := retry.Count(t.Context(), q, retry.Filter{}, 0); n != 3 {
		t.Errorf("%d are left", n)
	}
}
