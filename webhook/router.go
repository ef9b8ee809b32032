package webhook

import (
	"slices"

	"postern/gateway/mail"
)

// Router knows which endpoints a recipient goes to. It never changes.
type Router struct {
	endpoints []*Endpoint
}

// NewRouter takes the endpoints in the order in which they are tried: the
// numbered ones, then the unnumbered catch-all.
func NewRouter(endpoints []*Endpoint) *Router {
	return &Router{endpoints: slices.Clone(endpoints)}
}

// Endpoints are all endpoints in their order.
func (r *Router) Endpoints() []*Endpoint { return slices.Clone(r.endpoints) }

// Endpoint finds an endpoint by its name, nil if there is none.
func (r *Router) Endpoint(name string) *Endpoint {
	for _, e := range r.endpoints {
		if e.Name() == name {
			return e
		}
	}
	return nil
}

// Match is the mailbox endpoint that takes the address, nil if none does. One
// that only takes a copy is the answer where no other matches.
func (r *Router) Match(address string) *Endpoint {
	a := fold(address)
	var found *Endpoint
	for _, e := range r.endpoints {
		if !e.Terminal() && e.patterns.match(a) && (found == nil || found.cfg.Copy) {
			found = e
		}
	}
	return found
}

// Route lists the endpoints that a recipient's mail goes to: every matching
// COPY endpoint before the first other match, then that match; the endpoint
// that the directory named stands in for the match. MAIL goes to mailboxes, SEND
// to terminals, SOML and SAML to both.
func (r *Router) Route(rcpt mail.Recipient, verb mail.Verb) []*Endpoint {
	if rcpt.Endpoint != "" && r.Endpoint(rcpt.Endpoint) == nil {
		return nil // a name that we don't know must not reach somebody else
	}
	var list []*Endpoint
	a := fold(rcpt.Address)
	if verb != mail.VerbSend {
		list = r.assign(list, rcpt.Endpoint, a, false)
	}
	if verb != mail.VerbMail && verb != "" {
		list = r.assign(list, rcpt.Endpoint, a, true)
	}
	return list
}

// assign appends the recipient's mailbox or its terminal endpoints.
func (r *Router) assign(list []*Endpoint, name string, a folded, terminal bool) []*Endpoint {
	named := r.named(name, terminal)
	for i, e := range r.endpoints {
		switch {
		case e.Terminal() != terminal:
			continue
		case i == named:
			return append(list, e)
		case named >= 0 && !e.cfg.Copy, !e.patterns.match(a):
			continue
		}
		list = append(list, e)
		if !e.cfg.Copy {
			return list
		}
	}
	return list
}

// named is the index of the endpoint that the directory named, -1 if it named
// none of this kind.
func (r *Router) named(name string, terminal bool) int {
	if name == "" {
		return -1
	}
	return slices.IndexFunc(r.endpoints, func(e *Endpoint) bool { return e.Name() == name && e.Terminal() == terminal })
}
