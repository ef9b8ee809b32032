package page

import (
	"context"
	"crypto/rand"
	"errors"
	"log/slog"
	"net/http"
	"net/url"
	"strconv"

	"postern/gateway/again"
	"postern/gateway/ops/audit"
)

// AgainSender has stored messages sent again.
type AgainSender interface {
	Send(ctx context.Context, r again.Request) ([]again.Delivery, error)
}

// againView is the form by which a message is sent again; zero: it can't be.
type againView struct {
	Endpoints []string
	Once      string // a second click on the same form is no second delivery
}

func (p *Page) againView() againView {
	v := againView{}
	if p.deps.Again == nil {
		return v
	}
	v.Once = rand.Text()
	for _, e := range p.deps.Endpoints {
		if !e.Terminal {
			v.Endpoints = append(v.Endpoints, e.Name)
		}
	}
	return v
}

// messageAct sends a message again.
func (p *Page) messageAct(w http.ResponseWriter, r *http.Request) error {
	if p.deps.Again == nil {
		return problem{http.StatusNotFound, "There is no queue: POSTERN_RETRY_STORE is off."}
	}
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	id := r.PathValue("id")
	req := again.Request{Message: id, Endpoint: r.PostFormValue("to"), SameID: r.PostFormValue("same_id") == "yes", Once: r.PostFormValue("once"), By: p.who(r).String()}
	if r.PostFormValue("do") != "send" {
		return problem{http.StatusBadRequest, "That is nothing that can be done."}
	}
	sent, err := p.deps.Again.Send(r.Context(), req)
	switch {
	case errors.Is(err, again.ErrNotFound):
		return problem{http.StatusNotFound, "The message isn't stored any more. POSTERN_KEEP says how long delivered mail is kept."}
	case errors.Is(err, again.ErrRequest):
		return problem{http.StatusBadRequest, err.Error()}
	case errors.Is(err, again.ErrWaits):
		return problem{http.StatusConflict, "The queue has it already, and it will be sent."}
	case err != nil:
		return err
	}
	audit.Log(p.deps.Logger, p.who(r), audit.Sent, len(sent), slog.String("message", id), slog.String("to", req.Endpoint), slog.Bool("same_id", req.SameID))
	http.Redirect(w, r, "/messages/"+url.PathEscape(id)+"?done=sent&n="+strconv.Itoa(len(sent)), http.StatusSeeOther)
	return nil
}
