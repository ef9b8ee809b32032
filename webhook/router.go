package webhook

import (
	"slices"

	"postern/gateway/mail"
)

// Router knows which endpoints a recipient goes to. It never changes.
type Router struct {
	endpoints []*Endpoint
}

// Route is a delivery in the making: an endpoint and its recipients, in the
// order of the envelope.
type Route struct {
	Endpoint   *Endpoint
	Recipients []mail.Recipient
	Terminal   bool // the endpoint is a live channel
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

// Route groups the recipients by endpoint. For each, every matching COPY
// endpoint before the first other match takes part, then that match; the
// endpoint that the directory named stands in for the match. MAIL goes to
// mailboxes, SEND to terminals, SOML and SAML to both. Unrouted are recipients
// without a terminal (SEND) or without a mailbox (the others).
func (r *Router) Route(to []mail.Recipient, verb mail.Verb) (routes []Route, unrouted []mail.Recipient) {
	groups := make([][]mail.Recipient, len(r.endpoints))
	for _, rcpt := range to {
		a := fold(rcpt.Address)
		mailbox, terminal := false, false
		if verb != mail.VerbSend {
			mailbox = r.assign(groups, rcpt, a, false)
		}
		if verb != mail.VerbMail && verb != "" {
			terminal = r.assign(groups, rcpt, a, true)
		}
		if !mailbox && !(terminal && verb == mail.VerbSend) {
			unrouted = append(unrouted, rcpt)
		}
	}
	for i, e := range r.endpoints {
		routes = appendRoutes(routes, e, groups[i])
	}
	return routes, unrouted
}

// assign puts a recipient into the groups of its mailbox or of its terminal
// endpoints and reports whether there is one.
func (r *Router) assign(groups [][]mail.Recipient, rcpt mail.Recipient, a folded, terminal bool) bool {
	named := r.named(rcpt.Endpoint, terminal)
	if rcpt.Endpoint != "" && named < 0 && r.Endpoint(rcpt.Endpoint) == nil {
		return false // a name that we don't know must not reach somebody else
	}
	assigned := false
	for i, e := range r.endpoints {
		switch {
		case e.Terminal() != terminal:
			continue
		case i == named:
			groups[i] = append(groups[i], rcpt)
			return true
		case named >= 0 && !e.cfg.Copy, !e.patterns.match(a):
			continue
		}
		groups[i] = append(groups[i], rcpt)
		assigned = true
		if !e.cfg.Copy {
			return true
		}
	}
	return assigned
}

// named is the index of the endpoint that the directory named, -1 if it named
// none of this kind.
func (r *Router) named(name string, terminal bool) int {
	if name == "" {
		return -1
	}
	return slices.IndexFunc(r.endpoints, func(e *Endpoint) bool { return e.Name() == name && e.Terminal() == terminal })
}

// appendRoutes adds one route for the group, or one a recipient where the
// format carries only one.
func appendRoutes(routes []Route, e *Endpoint, group []mail.Recipient) []Route {
	if len(group) == 0 {
		return routes
	}
	if !e.PerRecipient() {
		return append(routes, Route{e, group, e.Terminal()})
	}
	for i := range group {
		routes = append(routes, Route{e, group[i : i+1 : i+1], e.Terminal()})
	}
	return routes
}
