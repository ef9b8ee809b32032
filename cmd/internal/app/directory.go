package app

import (
	"slices"

	"postern/cmd/internal/config"
	"postern/gateway/directory"
	"postern/gateway/metrics"
	"postern/webhook"
	"postern/webhook/call"
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
	remote, err := NewRemote(c.Directory, a.deps, metrics.WatchDirectory(a.registry))
	if err != nil {
		return nil, err
	}
	a.onClose("directory connections", func() error { remote.Close(); return nil })
	cfg.Remote = remote
	return directory.New(cfg), nil
}

// NewRemote asks the directory webhook, for serve and, without an observer, for
// check.
func NewRemote(c config.Directory, deps Deps, o directory.Observer) (*directory.Remote, error) {
	r, err := directory.NewRemote(call.Config{URL: string(c.URL), Secret: c.Secret.Source(deps.reload())}, deps.call(), o)
	if err != nil {
		return nil, config.Refuse("DIRECTORY_URL", err)
	}
	return r, nil
}
