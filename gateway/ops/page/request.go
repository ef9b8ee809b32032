package page

import (
	"context"
	"errors"
	"net/http"

	"postern/gateway/archive"
	"postern/gateway/content"
	"postern/gateway/history"
	"postern/gateway/preview"
	"postern/retry"
	"postern/webhook"
)

// shownBody is how much of a request's body is shown, in octets.
const shownBody = 128 << 10

// requestView is the POST that a delivery's next attempt makes.
type requestView struct {
	Message, Delivery, Endpoint string
	To                          []string
	Attempt                     int
	Line                        string // method and url
	Fields                      []string
	Body, Curl, File            string
	Size                        int64
}

// request shows a delivery's POST without making it.
func (p *Page) request(w http.ResponseWriter, r *http.Request) error {
	ctx, cancel := context.WithTimeout(r.Context(), storeWait)
	defer cancel()
	d, endpoint, err := p.delivery(ctx, r.PathValue("id"), r.URL.Query().Get("delivery"))
	if err != nil {
		return err
	}
	return p.withRequest(ctx, r.PathValue("id"), endpoint, d, func(shown *webhook.Preview) error {
		body, err := preview.Pretty(shown, shownBody)
		if err != nil {
			return err
		}
		v := requestView{Message: r.PathValue("id"), Delivery: d.ID, Endpoint: endpoint, To: d.Recipients, Attempt: d.Attempt, Line: shown.Method + " " + shown.URL,
			Fields: preview.Fields(shown), Body: body, File: preview.File(d.ID, shown), Size: shown.Length}
		v.Curl = preview.Curl(shown, v.File)
		p.show(w, r, http.StatusOK, "request", "The request", v)
		return nil
	})
}

// requestBody is that POST's body as a file, for curl.
func (p *Page) requestBody(w http.ResponseWriter, r *http.Request) error {
	d, endpoint, err := p.delivery(r.Context(), r.PathValue("id"), r.URL.Query().Get("delivery"))
	if err != nil {
		return err
	}
	return p.withRequest(retry.Aside(r.Context()), r.PathValue("id"), endpoint, d, func(shown *webhook.Preview) error {
		h := w.Header()
		h.Set("Content-Type", "application/octet-stream")
		h.Set("Content-Disposition", `attachment; filename="`+preview.File(d.ID, shown)+`"`)
		h.Set("Content-Security-Policy", "sandbox; default-src 'none'")
		return shown.Write(content.Patient(w))
	})
}

// withRequest renders a stored message's POST and hands it on while the message
// is open.
func (p *Page) withRequest(ctx context.Context, message, endpoint string, d preview.Delivery, do func(*webhook.Preview) error) error {
	stored, err := archive.Open(ctx, p.deps.Messages, message)
	if err != nil {
		return err
	}
	defer stored.Close()
	if len(archive.Recipients(stored.Envelope, d.Recipients)) == 0 { // the history shows addresses in part
		d.Recipients = nil
		for _, to := range stored.Envelope.To {
			d.Recipients = append(d.Recipients, to.Address)
		}
	}
	shown, err := p.deps.Preview(stored, endpoint, d)
	if errors.Is(err, preview.ErrEndpoint) {
		return problem{http.StatusNotFound, "The endpoint " + endpoint + " isn't configured any more."}
	}
	if err != nil {
		return err
	}
	return do(shown)
}

// delivery finds a delivery of a message: in the queue, else in its history.
func (p *Page) delivery(ctx context.Context, message, id string) (d preview.Delivery, endpoint string, err error) {
	if p.deps.Queue == nil || p.deps.Preview == nil {
		return d, "", retry.ErrNotFound
	}
	info, _, err := p.deps.Queue.Get(ctx, id)
	if err == nil && info.MessageID == message {
		return preview.Delivery{ID: id, Attempt: info.Attempts + 1, Recipients: info.Recipients}, info.Endpoint, nil
	}
	if err != nil && !errors.Is(err, retry.ErrNotFound) || p.deps.History == nil {
		return d, "", errors.Join(err, retry.ErrNotFound)
	}
	rec, err := p.deps.History.Get(ctx, message)
	if err != nil {
		return d, "", err
	}
	for _, a := range rec.Attempts {
		if a.Delivery == id && a.Settles != history.SettledDead && a.Settles.Posted() {
			d, endpoint = preview.Delivery{ID: id, Attempt: a.N + 1, Recipients: a.To}, a.Endpoint
		}
	}
	if endpoint == "" {
		return d, "", retry.ErrNotFound
	}
	return d, endpoint, nil
}
