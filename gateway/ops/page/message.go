package page

import (
	"context"
	"errors"
	"io"
	"net/http"
	"time"

	"postern/gateway/archive"
	"postern/gateway/history"
	"postern/gateway/mail"
	"postern/gateway/text"
	"postern/retry"
)

const (
	shownText = 64 << 10 // octets of a mail's text that its view shows
	shownHTML = 4 << 20
	storeWait = 10 * time.Second
)

type messageView struct {
	ID         string
	Record     *history.Record // nil: the history doesn't know it (any more)
	Deliveries []deliveryView
	Stored     bool // its octets are in the store
	Damaged    bool
	Mail       *mail.Message
	Envelope   *mail.Envelope
	Text       string
	Cut        bool // the text goes on
	Size       int64
	Again      againView
	Requests   bool // POSTs can be shown
	Held       map[string]string
	Story      []history.Event
	Same       map[*history.Attempt]bool // whose answer is the one before's at its endpoint
	Keep       string                    // how long delivered mail is kept; "": it isn't
}

// addStory tells what happened, and which webhook only repeated itself.
func (v *messageView) addStory() {
	v.Story, v.Same = v.Record.Story(), map[*history.Attempt]bool{}
	said := map[string]string{}
	for _, e := range v.Story {
		if a := e.Attempt; a != nil && a.Answer != "" {
			v.Same[a] = said[a.Endpoint] == a.Answer
			said[a.Endpoint] = a.Answer
		}
	}
}

// title is the subject, which people know a message by.
func (v *messageView) title() string {
	switch {
	case v.Record != nil && v.Record.Subject != "":
		return v.Record.Subject
	case v.Mail != nil && v.Mail.Subject != "":
		return text.Clip(text.OneLine(v.Mail.Subject), maxTitle)
	case v.Record != nil && v.Record.Result == history.AuthFailed:
		return "A failed sign-in"
	}
	return "Message " + v.ID
}

// maxTitle is how much of a subject is a heading, in octets.
const maxTitle = 200

type deliveryView struct {
	retry.Info
	Past []retry.PastAttempt
}

func (p *Page) message(w http.ResponseWriter, r *http.Request) error {
	v := messageView{ID: r.PathValue("id"), Keep: forHowLong(p.cfg.Keep)}
	known := error(history.ErrNotFound)
	if p.deps.History != nil {
		rec, err := p.deps.History.Get(r.Context(), v.ID)
		switch {
		case err == nil:
			v.Record, v.ID, known = &rec, rec.ID, nil
			v.addStory()
		case !errors.Is(err, history.ErrNotFound):
			return err
		}
	}
	if p.deps.Queue != nil {
		if err := p.addStored(r.Context(), &v); err != nil {
			return err
		}
	}
	if v.Record == nil && len(v.Deliveries) == 0 && !v.Stored {
		return known
	}
	if v.Stored && !v.Damaged {
		v.Again, v.Requests = p.againView(), p.deps.Preview != nil
	}
	p.show(w, r, http.StatusOK, "message", v.title(), v)
	return nil
}

// addStored adds what the store still has of a message.
func (p *Page) addStored(ctx context.Context, v *messageView) error {
	infos, _, err := p.deps.Queue.List(ctx, retry.Filter{MessageID: v.ID}, retry.Page{Size: 100})
	if err != nil {
		return err
	}
	if v.Held, err = p.held(ctx, retry.Stats{}); err != nil {
		return err
	}
	for _, i := range infos {
		_, past, err := p.deps.Queue.Get(ctx, i.ID)
		if err != nil && !errors.Is(err, retry.ErrNotFound) {
			return err
		}
		v.Deliveries = append(v.Deliveries, deliveryView{i, past})
	}
	stored, parsed, err := p.open(ctx, v.ID)
	switch {
	case errors.Is(err, retry.ErrNotFound):
		return nil
	case errors.Is(err, retry.ErrCorrupt):
		v.Stored, v.Damaged = true, true
		return nil
	case err != nil:
		return err
	}
	defer stored.Close()
	v.Stored, v.Mail, v.Envelope, v.Size = true, parsed, stored.Envelope, stored.Data.Size()
	v.Text = text.Clip(parsed.Text, shownText)
	v.Cut = len(v.Text) < len(parsed.Text)
	return nil
}

// open reads and parses a stored message.
func (p *Page) open(ctx context.Context, id string) (*archive.Mail, *mail.Message, error) {
	stored, err := archive.Open(ctx, p.deps.Messages, id)
	if err != nil {
		return nil, nil, err
	}
	parsed, err := mail.Parse(stored.Raw(), mail.Limits{})
	if err != nil {
		stored.Close()
		return nil, nil, err
	}
	return stored, parsed, nil
}

// framePolicy lets a mail's own HTML have its inline styles and embedded data
// images, and nothing from anywhere: no script, no form, no remote content.
const framePolicy = "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-ancestors 'self'"

// messageHTML is what the frame of a message's view shows.
func (p *Page) messageHTML(w http.ResponseWriter, r *http.Request) error {
	if p.deps.Queue == nil {
		return retry.ErrNotFound
	}
	ctx, cancel := context.WithTimeout(r.Context(), storeWait)
	defer cancel()
	stored, parsed, err := p.open(ctx, r.PathValue("id"))
	if err != nil {
		return err
	}
	defer stored.Close()
	h := w.Header()
	h.Set("Content-Security-Policy", framePolicy)
	h.Set("X-Frame-Options", "SAMEORIGIN")
	h.Set("Content-Type", "text/html; charset=utf-8")
	_, _ = io.WriteString(w, text.Clip(parsed.HTML, shownHTML))
	return nil
}
