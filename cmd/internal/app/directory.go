package app

import (
	"io"
	"net/http"
	"slices"
	"strconv"
	"time"

	"postern/cmd/internal/config"
	"postern/gateway/directory"
	"postern/gateway/reload"
	"postern/webhook"
)

// newDirectory says who is a recipient: the patterns, the endpoints' own, and the
// directory webhook.
func (a *App) newDirectory(router *webhook.Router) (*directory.Directory, error) {
	c := a.cfg
	cfg := directory.Config{
		Serves: func(address string) bool { return router.Match(address) != nil },
		Domain: c.Listen.Domain,
	}
	static, err := webhook.ParsePatterns(c.Directory.Recipients)
	if err != nil {
		return nil, config.Refuse("RECIPIENTS", err)
	}
	known := slices.Clone(static)
	for _, w := range c.Endpoints() {
		match, err := webhook.ParsePatterns(w.Match)
		if err != nil {
			return nil, config.Refuse("MATCH", err)
		}
		known = append(known, match...)
		cfg.Last = w.Name
	}
	cfg.Accepted = known.MatchDomain
	if len(static) > 0 {
		cfg.Static = static.Match
	}
	if c.Directory.URL == "" {
		return directory.New(cfg), nil
	}
	remote, err := Remote(c.Directory, a.reload())
	cfg.Remote = remote
	return directory.New(cfg), err
}

// Remote asks the directory webhook.
func Remote(c config.Directory, deps reload.Deps) (*directory.Remote, error) {
	client := &http.Client{Transport: http.DefaultTransport.(*http.Transport).Clone()}
	return directory.NewRemote(string(c.URL), client, signer(c.Secret.Source(deps)), time.Now)
}

// signer signs the questions to the directory where a secret is set.
func signer(secret webhook.SecretSource) directory.Signer {
	if secret == nil {
		return func(http.Header, string, time.Time, []byte) {}
	}
	return func(h http.Header, id string, at time.Time, body []byte) {
		signature, err := webhook.Sign(secret(), id, at, func(w io.Writer) error { _, err := w.Write(body); return err })
		if err != nil {
			return // a secret that can't be used: the directory refuses the question, the client is told 450
		}
		h.Set(webhook.HeaderID, id)
		h.Set(webhook.HeaderTimestamp, strconv.FormatInt(at.Unix(), 10))
		h.Set(webhook.HeaderSignature, signature)
	}
}
