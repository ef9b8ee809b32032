package ops

import (
	"context"
	"log/slog"
	"net/http"
	"strings"

	"postern/gateway/again"
	"postern/gateway/ops/audit"
)

// AgainSender has stored messages sent again; *again.Sender is the real one.
type AgainSender interface {
	Send(ctx context.Context, r again.Request) ([]again.Delivery, error)
}

// sendRequest says where a message goes once more.
type sendRequest struct {
	To         string   `json:"to"`         // an endpoint; "" where its recipients' mail goes today
	Recipients []string `json:"recipients"` // absent: all
	SameID     bool     `json:"same_id"`    // with the first webhook-id: an app that has it ignores it
}

// sendAgain queues a message once more that the store still has.
func (s *Server) sendAgain(w http.ResponseWriter, r *http.Request) {
	var req sendRequest
	if !body(w, r, &req) {
		return
	}
	if req.Recipients != nil && len(req.Recipients) == 0 {
		fail(w, http.StatusBadRequest, "recipients is empty: name some, or leave it out for all")
		return
	}
	id, err := s.messageID(r)
	if err != nil {
		s.failed(w, r, err)
		return
	}
	sent, err := s.deps.Again.Send(r.Context(), again.Request{Message: id, Endpoint: req.To, Recipients: req.Recipients, SameID: req.SameID, By: s.who(r).String()})
	if err != nil {
		s.failed(w, r, err)
		return
	}
	s.audit(r, audit.Sent, len(sent), slog.String("message", id), slog.String("to", req.To), slog.Bool("same_id", req.SameID))
	answer(w, http.StatusOK, struct {
		Sent       int              `json:"sent"`
		Deliveries []again.Delivery `json:"deliveries"`
	}{len(sent), sent})
}

// Forgetter erases a person; what it can't is an error.
type Forgetter interface {
	// Names counts what Forget would erase.
	Names(ctx context.Context, address string) (records, messages int, err error)
	// Forget erases every record and every kept message that names it.
	Forget(ctx context.Context, address string) (records, messages int, err error)
}

// forgetAnswer says what would be erased.
type forgetAnswer struct {
	dryAnswer
	Records  int `json:"records"`
	Messages int `json:"messages"`
}

// forget erases a person from the history and from delivered mail that is kept.
func (s *Server) forget(w http.ResponseWriter, r *http.Request) {
	if s.deps.Forgetter == nil {
		fail(w, http.StatusNotFound, "there is nothing to forget: neither history nor delivered mail is kept")
		return
	}
	var req struct {
		Address string `json:"address"`
	}
	if !body(w, r, &req) {
		return
	}
	if !strings.Contains(req.Address, "@") {
		fail(w, http.StatusBadRequest, "address is a person's, such as ann@example.com")
		return
	}
	dry, ok := dryRun(w, r)
	if !ok {
		return
	}
	if dry {
		records, messages, err := s.deps.Forgetter.Names(r.Context(), req.Address)
		if err != nil {
			s.failed(w, r, err)
			return
		}
		answer(w, http.StatusOK, forgetAnswer{dryAnswer{true, records + messages}, records, messages})
		return
	}
	records, messages, err := s.deps.Forgetter.Forget(r.Context(), req.Address)
	if err != nil {
		s.failed(w, r, err)
		return
	}
	s.audit(r, audit.Forgot, records+messages) // the line must not name whom it is about
	answer(w, http.StatusOK, map[string]int{"records": records, "messages": messages})
}
