package ops

import (
	"errors"
	"net/http"

	"postern/gateway/archive"
	"postern/gateway/content"
	"postern/gateway/history"
	"postern/gateway/preview"
	"postern/retry"
	"postern/webhook"
)

// exportDelivery answers with a delivery's message as an .eml file.
func (s *Server) exportDelivery(w http.ResponseWriter, r *http.Request) {
	info, _, err := s.deps.Queue.Get(r.Context(), r.PathValue("id"))
	if err != nil {
		s.failed(w, r, err)
		return
	}
	s.export(w, r, info.MessageID)
}

// exportMessage is the same by the message's id.
func (s *Server) exportMessage(w http.ResponseWriter, r *http.Request) {
	id, err := s.messageID(r)
	if err != nil {
		s.failed(w, r, err)
		return
	}
	s.export(w, r, id)
}

// messageID is the whole id of the message that the path begins to name.
func (s *Server) messageID(r *http.Request) (string, error) {
	id := r.PathValue("id")
	if s.deps.History == nil {
		return id, nil
	}
	record, err := s.deps.History.Get(r.Context(), id)
	if errors.Is(err, history.ErrNotFound) {
		return id, nil // the store may know it still
	}
	return record.ID, err
}

// export sends the octets as they were received, with our trace lines before
// them. Damaged ones only where ?damaged=true asks for what is left.
func (s *Server) export(w http.ResponseWriter, r *http.Request, messageID string) {
	open := archive.Open
	if r.URL.Query().Get("damaged") == "true" {
		open = archive.Salvage
	}
	m, err := open(retry.Aside(r.Context()), s.deps.Messages, messageID)
	if errors.Is(err, retry.ErrCorrupt) {
		s.deps.Logger.Error("a stored message is damaged", "message", messageID, "err", err)
		fail(w, http.StatusInternalServerError, retry.ErrCorrupt.Error()+"; add ?damaged=true to get what is left")
		return
	}
	if err != nil {
		s.failed(w, r, err)
		return
	}
	defer m.Close()
	if err := content.SendRaw(w, r, m); err != nil {
		s.failed(w, r, err)
	}
}

// shownBody is how much of a request's body is shown, in octets.
const shownBody = 128 << 10

// requestAnswer is a POST as answers have it.
type requestAnswer struct {
	Method string   `json:"method"`
	URL    string   `json:"url"`
	Header []string `json:"header"`
	Length int64    `json:"length"`
	Body   string   `json:"body"` // for reading
	Curl   string   `json:"curl"`
}

// nextRequest shows the POST that a delivery's next attempt makes.
func (s *Server) nextRequest(w http.ResponseWriter, r *http.Request) {
	s.withRequest(w, r, func(id string, p *webhook.Preview) error {
		pretty, err := preview.Pretty(p, shownBody)
		if err == nil {
			answer(w, http.StatusOK, requestAnswer{p.Method, p.URL, preview.Fields(p), p.Length, pretty, preview.Curl(p, preview.File(id, p))})
		}
		return err
	})
}

// nextRequestBody is that POST's body, octet by octet, as the file that its curl
// command reads.
func (s *Server) nextRequestBody(w http.ResponseWriter, r *http.Request) {
	s.withRequest(w, r, func(id string, p *webhook.Preview) error {
		h := w.Header()
		h.Set("Content-Type", "application/octet-stream")
		h.Set("Content-Disposition", `attachment; filename="`+preview.File(id, p)+`"`)
		h.Set("Content-Security-Policy", "sandbox; default-src 'none'")
		if err := p.Write(content.Patient(w)); err != nil { // the answer has begun: only a cut tells
			s.deps.Logger.Error("a request's body can't be shown whole", "delivery", id, "err", err)
			panic(http.ErrAbortHandler)
		}
		return nil
	})
}

// withRequest renders the POST of the path's delivery and hands it on while its
// message is open.
func (s *Server) withRequest(w http.ResponseWriter, r *http.Request, do func(id string, p *webhook.Preview) error) {
	info, _, err := s.deps.Queue.Get(r.Context(), r.PathValue("id"))
	if err != nil {
		s.failed(w, r, err)
		return
	}
	if s.deps.Preview == nil {
		fail(w, http.StatusNotFound, "requests aren't shown here")
		return
	}
	m, err := archive.Open(retry.Aside(r.Context()), s.deps.Messages, info.MessageID)
	if err != nil {
		s.failed(w, r, err)
		return
	}
	defer m.Close()
	p, err := s.deps.Preview(m, info.Endpoint, preview.Delivery{ID: info.ID, Attempt: info.Attempts + 1, Recipients: info.Recipients})
	if errors.Is(err, preview.ErrEndpoint) {
		fail(w, http.StatusNotFound, "there is no endpoint "+info.Endpoint+" any more")
		return
	}
	if err == nil {
		err = do(info.ID, p)
	}
	if err != nil {
		s.failed(w, r, err)
	}
}
