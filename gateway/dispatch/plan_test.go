package dispatch

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"postern/gateway/mail"
	"postern/webhook"
)

func describe(ds []*Delivery) (out []string) {
	for _, d := range ds {
		s := fmt.Sprintf("%s:%s", d.Endpoint.Name(), strings.Join(Addresses(d.To), ","))
		if d.AlreadyDelivered {
			s += " taken"
		}
		out = append(out, s)
	}
	return out
}

// TestPlan groups recipients by endpoint, one each where the format carries only
// one, and sets those apart whom an earlier try reached.
func TestPlan(t *testing.T) {
	b := newBench(t, nil, Deps{}, webhook.Config{Name: "copy", Copy: true}, webhook.Config{Name: "main"},
		webhook.Config{Name: "each", Format: "mailgun", Secret: webhook.Fixed("key-0123456789")}, webhook.Config{Name: "live", Terminal: true})
	ep := map[string]*webhook.Endpoint{}
	for _, e := range b.router.Endpoints() {
		ep[e.Name()] = e
	}
	to := func(list ...string) (out []Recipient) {
		for _, s := range list {
			address, names, _ := strings.Cut(s, "=")
			r := Recipient{Recipient: mail.Recipient{Address: address}}
			for _, n := range strings.Split(names, "+") {
				r.Endpoints = append(r.Endpoints, ep[n])
			}
			out = append(out, r)
		}
		return out
	}
	took := func(list ...string) func(*webhook.Endpoint, mail.Recipient) bool {
		return func(e *webhook.Endpoint, r mail.Recipient) bool { return slices.Contains(list, e.Name()+":"+r.Address) }
	}
	m := newMail(t, 0)
	for _, c := range []struct {
		to    []Recipient
		kind  Kind
		taken func(*webhook.Endpoint, mail.Recipient) bool
		want  []string
	}{
		{to("a=main"), Mailboxes, took(), []string{"main:a"}},
		{to("a=copy+main", "b=main"), Mailboxes, took(), []string{"copy:a", "main:a,b"}},
		{to("a=each", "b=each"), Mailboxes, took(), []string{"each:a", "each:b"}},
		{to("a=main+live", "b=main"), Mailboxes, took(), []string{"main:a,b"}},
		{to("a=main+live", "b=main"), Terminals, took(), []string{"live:a"}},
		{to("a=main"), Terminals, took(), nil},
		{to("a=main", "b=main", "c=main"), Mailboxes, took("main:b"), []string{"main:a,c", "main:b taken"}},
		{to("a=main", "b=main"), Mailboxes, took("main:a", "main:b"), []string{"main:a,b taken"}},
		{to("a=copy+main"), Mailboxes, took("copy:a"), []string{"copy:a taken", "main:a"}},
	} {
		ds := Plan(m, c.to, c.kind, c.taken)
		if got := describe(ds); !slices.Equal(got, c.want) {
			t.Errorf("%q, want %q", got, c.want)
		}
		for _, d := range ds {
			if d.ID != webhook.DeliveryID("k1", d.Endpoint.Name(), Addresses(d.To)) || d.Attempt != 1 || d.Origin != Fresh || d.Mail != m {
				t.Errorf("%+v", d)
			}
		}
	}
}

// TestPart: a part has an id of its own, the whole keeps its.
func TestPart(t *testing.T) {
	b := newBench(t, nil, Deps{})
	d := &Delivery{Mail: newMail(t, 0), Endpoint: b.router.Endpoints()[0], ID: "whole", To: []mail.Recipient{{Address: "a"}, {Address: "b"}, {Address: "c"}}}
	part := func(list string) *Delivery {
		return d.Part(func(r mail.Recipient) bool { return strings.Contains(list, r.Address) })
	}
	if p := part("abc"); p.ID != "whole" || len(p.To) != 3 {
		t.Errorf("%+v", p)
	}
	if p := part("ca"); p.ID != webhook.DeliveryID("k1", "main", []string{"a", "c"}) || !slices.Equal(Addresses(p.To), []string{"a", "c"}) || !p.IsFor("c") || p.IsFor("b") {
		t.Errorf("%+v", p)
	}
	if p := part(""); p != nil {
		t.Errorf("%+v", p)
	}
	if len(d.To) != 3 || d.ID != "whole" {
		t.Errorf("the delivery itself is now %+v", d)
	}
}

// TestDeliverAll makes all at once, but for those that were taken before, and
// returns when the last has ended.
func TestDeliverAll(t *testing.T) {
	var b *bench
	together := make(chan struct{}, 2)
	b = newBench(t, func(_ http.ResponseWriter, r *http.Request) {
		together <- struct{}{}
		for end := time.Now().Add(time.Minute); len(together) < 2 && time.Now().Before(end); time.Sleep(time.Millisecond) {
		}
		if r.URL.Path == "/one" {
			time.Sleep(100 * time.Millisecond)
		}
	}, Deps{}, webhook.Config{Name: "one"}, webhook.Config{Name: "two"}, webhook.Config{Name: "three"})
	m := newMail(t, 0)
	var ds []*Delivery
	for _, ep := range b.router.Endpoints() {
		ds = append(ds, &Delivery{Mail: m, Endpoint: ep, To: []mail.Recipient{{Address: "a"}}, AlreadyDelivered: ep.Name() == "two"})
	}
	b.DeliverAll(t.Context(), ds)
	if len(together) != 2 || ds[0].Outcome.Result != webhook.Delivered || ds[2].Outcome.Result != webhook.Delivered || ds[1].Outcome.Reason != "" {
		t.Errorf("%d posts: %+v, %+v, %+v", len(together), ds[0].Outcome, ds[1].Outcome, ds[2].Outcome)
	}
	b.DeliverAll(t.Context(), nil)
}
