package app

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/textproto"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"postern/gateway/again"
	"postern/gateway/history"
	"postern/gateway/smtp"
	"postern/gateway/turn"
	"postern/retry/postgres/pgtest"
)

// end is one way in which a mail's deliveries end.
type end struct {
	answers []string                              // of the webhook, one an attempt, the last one from then on: a status, and a body
	environ string                                // one more setting
	to      string                                // recipients of a mail by LMTP; none: SMTP, to b@example.com
	stands  string                                // how the record stands before act
	act     func(t *testing.T, a *App, id string) // what an operator or a client does
	want    string                                // how it stands at last
	tells   []history.Settlement                  // what the story says of it, in order
}

var ends = map[string]end{
	"delivered at once":    {answers: []string{"200"}, want: "delivered 0 0 0"},
	"delivered later":      {answers: []string{"503", "200"}, want: "delivered 0 0 0", tells: []history.Settlement{history.SettledDone}},
	"rejected in between":  {answers: []string{"503", "406"}, want: "dead letter 0 1 0", tells: []history.Settlement{history.SettledDead}},
	"expired":              {answers: []string{"503"}, environ: "POSTERN_RETRY_MAX_AGE=1s", want: "dead letter 0 1 0", tells: []history.Settlement{history.SettledDead}},
	"deleted as it waits":  {answers: []string{"503"}, environ: waits, stands: "waiting 1 0 0", act: ask("delete", `{"endpoint":"default"}`), want: "removed 0 0 1", tells: []history.Settlement{history.Deleted}},
	"a dead letter's end":  {answers: []string{"503", "406"}, stands: "dead letter 0 1 0", act: ask("delete", `{"state":"dead"}`), want: "removed 0 0 1", tells: []history.Settlement{history.SettledDead, history.Deleted}},
	"all deleted":          {answers: []string{"503"}, environ: waits, stands: "waiting 1 0 0", act: ask("delete", `{"all":true}`), want: "removed 0 0 1", tells: []history.Settlement{history.Deleted}},
	"replayed":             {answers: []string{"503", "406", "200"}, stands: "dead letter 0 1 0", act: ask("replay", `{"reason":"rejected"}`), want: "delivered 0 0 0", tells: []history.Settlement{history.SettledDead, history.Replayed, history.SettledDone}},
	"replayed in vain":     {answers: []string{"503", "406"}, stands: "dead letter 0 1 0", act: ask("replay", `{"state":"dead"}`), want: "dead letter 0 1 0", tells: []history.Settlement{history.SettledDead, history.Replayed, history.SettledDead}},
	"replayed elsewhere":   {answers: []string{"503", "406", "200"}, stands: "dead letter 0 1 0", act: ask("replay", `{"state":"dead","to":"other"}`), want: "delivered 0 0 0", tells: []history.Settlement{history.SettledDead, history.Replayed, history.SettledDone}},
	"sent again elsewhere": {answers: []string{"503", "406", "200"}, stands: "dead letter 0 1 0", act: sendAgain(again.Request{Endpoint: "other"}), want: "dead letter 0 1 0", tells: []history.Settlement{history.SettledDead, history.QueuedAgain, history.SettledDone}},
	"sent again, same id":  {answers: []string{"503", "406", "200"}, stands: "dead letter 0 1 0", act: sendAgain(again.Request{SameID: true}), want: "delivered 0 0 0", tells: []history.Settlement{history.SettledDead, history.Replayed, history.SettledDone}},
	"handed over":          {answers: []string{"503"}, environ: waits, stands: "waiting 1 0 0", act: comesFor(250), want: "delivered 0 0 0", tells: []history.Settlement{history.SettledDone}},
	"not handed over":      {answers: []string{"503"}, environ: waits, stands: "waiting 1 0 0", act: comesFor(451), want: "waiting 1 0 0"},
	"divided":              {answers: []string{"503", `200 {"smtp":{"recipients":{"b@example.com":"250 ok","c@example.com":"450 later","d@example.com":"550 no"}}}`, "200"}, to: "b@example.com c@example.com d@example.com", want: "dead letter 0 1 0", tells: []history.Settlement{history.Divided, history.SettledDead, history.SettledDone}},
	"purged by its age":    {answers: []string{"503", "406"}, environ: "POSTERN_DEAD_RETAIN=1ns", stands: "dead letter 0 1 0", act: purge, want: "removed 0 0 1", tells: []history.Settlement{history.SettledDead, history.Deleted}},
}

// waits lets what failed once wait for longer than the test.
const waits = "POSTERN_RETRY_FIRST=1h"

// Every end of a delivery reaches the history, on both engines.
func TestEnds(t *testing.T) {
	var servers pgtest.Shared
	t.Cleanup(servers.Stop)
	for engine, store := range map[string]func(*testing.T) string{
		"sqlite":   func(t *testing.T) string { return "sqlite://" + t.TempDir() },
		"postgres": func(t *testing.T) string { return servers.Database(t) },
	} {
		for name, e := range ends {
			t.Run(engine+"/"+name, func(t *testing.T) { e.run(t, store(t)) })
		}
	}
}

func (e end) run(t *testing.T, store string) {
	var n atomic.Int64
	hook := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		status, body, _ := strings.Cut(e.answers[min(int(n.Add(1)), len(e.answers))-1], " ")
		code := 0
		_, _ = fmt.Sscan(status, &code)
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(code)
		_, _ = io.WriteString(w, body)
	}))
	t.Cleanup(hook.Close)
	a := start(t, "POSTERN_WEBHOOK_URL="+hook.URL, "POSTERN_WEBHOOK_0_URL="+hook.URL, "POSTERN_WEBHOOK_0_NAME=other", "POSTERN_WEBHOOK_0_MATCH=x@y.example", "POSTERN_RETRY_STORE="+store,
		"POSTERN_AUTHENTICATE=false", "POSTERN_RETRY_FIRST=1ms", "POSTERN_HTTP_ADDR=127.0.0.1:0", "POSTERN_HTTP_TOKEN=token", "POSTERN_LMTP_ADDR=127.0.0.1:0", e.environ)
	const mail = "Message-ID: <1@device.example>\r\n\r\nThe door is open.\r\n"
	var err error
	if to := strings.Fields(e.to); len(to) > 0 {
		err = sendLMTP(a, to, mail)
	} else {
		err = sendPlain(a, mail)
	}
	if err != nil {
		t.Fatal(err)
	}
	id := ""
	if e.act != nil {
		id = e.await(t, a, e.stands, nil)
		e.act(t, a, id)
	}
	e.await(t, a, e.want, e.tells)
	if left, err := a.history.Unsettled(t.Context(), 0, 9); err != nil || (len(left) == 0) != strings.HasSuffix(strings.TrimSuffix(e.want, e.want[len(e.want)-1:]), " 0 0 ") {
		t.Errorf("%q is %+v, %v", e.want, left, err)
	}
}

// await waits until the only record stands as it should and its story says why.
func (e end) await(t *testing.T, a *App, want string, tells []history.Settlement) string {
	t.Helper()
	got := ""
	for until := time.Now().Add(time.Minute); time.Now().Before(until); time.Sleep(10 * time.Millisecond) {
		found, _, err := a.history.Find(t.Context(), history.Query{})
		if err != nil {
			t.Fatal(err)
		}
		if len(found) != 1 {
			continue
		}
		r, err := a.history.Get(t.Context(), found[0].ID)
		if err != nil {
			t.Fatal(err)
		}
		var story []history.Settlement
		for _, event := range r.Story() {
			if event.Attempt != nil && event.Attempt.Settles != "" {
				story = append(story, event.Attempt.Settles)
			}
		}
		got = fmt.Sprintf("%s %d %d %d", r.Became(), r.Waiting, r.Dead, r.Removed)
		if got == want && (tells == nil || fmt.Sprint(story) == fmt.Sprint(tells)) {
			return r.ID
		}
		got += fmt.Sprint(" by ", story)
	}
	t.Fatalf("it stands as %q, want %q by %v", got, want, tells)
	return ""
}

// sendLMTP sends a mail whose sender hears of each recipient.
func sendLMTP(a *App, to []string, mail string) error {
	c, err := textproto.Dial("tcp", a.Addr("LMTP_ADDR"))
	if err != nil {
		return err
	}
	defer c.Close()
	if _, _, err := c.ReadResponse(220); err != nil {
		return err
	}
	said := []string{"LHLO device.example", "MAIL FROM:<device@example.com>"}
	for _, one := range to {
		said = append(said, "RCPT TO:<"+one+">")
	}
	for _, line := range said {
		if err := c.PrintfLine("%s", line); err != nil {
			return err
		}
		if _, _, err := c.ReadResponse(250); err != nil {
			return err
		}
	}
	if err := c.PrintfLine("DATA"); err != nil {
		return err
	}
	if _, _, err := c.ReadResponse(354); err != nil {
		return err
	}
	w := c.DotWriter()
	_, err = io.WriteString(w, mail)
	if err = errors.Join(err, w.Close()); err != nil {
		return err
	}
	for range to {
		if _, _, err := c.ReadResponse(250); err != nil {
			return err
		}
	}
	return nil
}

// ask has the API do something.
func ask(path, body string) func(*testing.T, *App, string) {
	return func(t *testing.T, a *App, _ string) {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+a.Addr("HTTP_ADDR")+"/api/v1/"+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Authorization", "Bearer token")
		answer, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer answer.Body.Close()
		if said, _ := io.ReadAll(answer.Body); answer.StatusCode != http.StatusOK || !strings.Contains(string(said), ":1}") {
			t.Fatalf("%s: %d %s", path, answer.StatusCode, said)
		}
	}
}

func sendAgain(r again.Request) func(*testing.T, *App, string) {
	return func(t *testing.T, a *App, id string) {
		r.Message = id
		if _, err := a.again.Send(t.Context(), r); err != nil {
			t.Fatal(err)
		}
	}
}

// comesFor comes for what waits, and answers each mail so.
func comesFor(code int) func(*testing.T, *App, string) {
	return func(t *testing.T, a *App, _ string) {
		mails, no := turn.New(a.queue, slog.New(slog.DiscardHandler), a.clock.Now, a.handedOver).Collect(t.Context(), &smtp.Client{Auth: "ann", Collect: []string{"default"}})
		if mails == nil {
			t.Fatal(no)
		}
		defer mails.Close()
		m, err := mails.Next(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		m.Settle(t.Context(), code, "", nil)
	}
}

// purge is what POSTERN_DEAD_RETAIN does now and then.
func purge(t *testing.T, a *App, _ string) {
	if n, err := a.purgeDead(t.Context()); n != 1 || err != nil {
		t.Fatalf("%d, %v", n, err)
	}
}
