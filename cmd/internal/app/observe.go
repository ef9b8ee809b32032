package app

import (
	"bytes"
	"context"
	"crypto/rand"
	"os"
	"sync"
	"time"

	"postern/cmd/internal/config"
	"postern/gateway"
	"postern/gateway/archive"
	"postern/gateway/content"
	"postern/gateway/dispatch"
	"postern/gateway/metrics"
	"postern/gateway/ops"
	"postern/gateway/preview"
	"postern/gateway/spool"
	"postern/webhook"
)

// meters makes all series that are there from the start.
func (a *App) meters(router *webhook.Router, spooler *spool.Spooler) {
	var names []string
	for _, ep := range router.Endpoints() {
		names = append(names, ep.Name())
	}
	options := metrics.Options{Version: a.deps.Version, Endpoints: names, SpoolUsed: spooler.Used, SpoolMaxBytes: int64(a.cfg.Process.SpoolMaxBytes),
		ClockOff: a.clock.Off, Disk: a.disk(spooler)}
	if a.budget != nil {
		options.Memory = a.budget.Stats
	}
	if a.certificate != nil {
		options.CertificateEnd = a.certificateEnd
	}
	a.metrics = metrics.New(a.registry, options)
	if a.queue != nil {
		a.metrics.WatchQueue(a.registry, a.queue, storeName(a.cfg.Delivery.Store), a.cfg.Delivery.RetryMaxAge)
	}
	if a.bodies != nil {
		metrics.WatchBodies(a.registry, a.bodies)
	}
}

// storeName is the same in processes that share a queue, and only in those; it has
// no password.
func storeName(s config.Store) string {
	if s.Postgres() {
		return "postgres"
	}
	host, _ := os.Hostname() // without one, the folder tells
	return "sqlite " + host + ":" + s.Folder()
}

// links are the urls for content, nil where POSTERN_PUBLIC_URL isn't set.
func (a *App) links(ctx context.Context) (*content.Links, error) {
	if a.cfg.Delivery.PublicURL == "" || a.queue == nil {
		return nil, nil
	}
	var keys func() [][]byte
	if secret := a.cfg.Delivery.URLSecret.Source(a.deps.reload()); secret != nil {
		keys = func() [][]byte { return bytes.Fields([]byte(secret().Reveal())) }
	} else {
		keys = a.storedKeys()
	}
	return content.NewLinks(string(a.cfg.Delivery.PublicURL), keys, a.cfg.Delivery.Retain)
}

const (
	keyLimit = 2 * time.Second // the store may take so long to give the key that signs urls
	keyRest  = time.Second     // and isn't asked so long after it failed
)

// storedKeys reads the key that signs urls from the store. While the store is away
// a random key stands in for it. No url that was signed with that one ever leaves:
// a url is only given once its content was stored, which fails as well.
func (a *App) storedKeys() func() [][]byte {
	var mu sync.Mutex
	var key []byte
	var failed time.Time
	standIn := []byte(rand.Text())
	return func() [][]byte {
		mu.Lock()
		defer mu.Unlock()
		if key == nil && (failed.IsZero() || time.Since(failed) > keyRest) {
			ctx, cancel := context.WithTimeout(context.Background(), keyLimit)
			defer cancel()
			stored, err := content.StoredKey(ctx, a.queue)
			if err != nil {
				a.deps.Logger.Warn("the key that signs urls can't be read", "err", err)
				failed = time.Now()
			}
			key = stored
		}
		if key == nil {
			return [][]byte{standIn}
		}
		return [][]byte{key}
	}
}

// opsServer wires probes, metrics, API, page and content.
func (a *App) opsServer(router *webhook.Router, sender *webhook.Sender, links *content.Links) error {
	deps := ops.Deps{Breakers: a.breakers, Ready: a.ready, Degraded: a.degraded, Gatherer: a.registry, Live: a.live, Logger: a.deps.Logger}
	if a.queue != nil {
		deps.Queue, deps.Messages, deps.Again, deps.Tell = a.queue, a.messages(), a.again, a.changed()
		deps.Preview = a.preview(router, sender)
	}
	if a.history != nil {
		deps.History = a.history
	}
	if a.history != nil || a.kept != nil {
		deps.Forgetter = Forgetter{a.history, a.kept}
	}
	for i, w := range a.cfg.Endpoints() {
		ep := router.Endpoints()[i]
		deps.Endpoints = append(deps.Endpoints, ops.Endpoint{Name: ep.Name(), URL: ep.URL(), Format: ep.Format(), Match: w.Match, Terminal: ep.Terminal()})
	}
	if links != nil {
		deps.Content = content.NewHandler(content.Deps{Links: links, Messages: a.queue, Limits: a.parseLimits(), Memory: a.budget, Logger: a.deps.Logger, Now: a.clock.Now})
	}
	server, err := ops.New(ops.Config{Version: a.deps.Version, History: a.cfg.Delivery.History, Keep: a.cfg.Delivery.Keep, Token: a.cfg.Process.HTTPToken.Source(a.deps.reload()), Grace: httpGrace}, deps)
	a.ops = server
	return err
}

// preview shows a stored mail's POST.
func (a *App) preview(router *webhook.Router, sender *webhook.Sender) func(*archive.Mail, string, preview.Delivery) (*webhook.Preview, error) {
	o := preview.Options{PublicURL: string(a.cfg.Delivery.PublicURL), Limits: a.parseLimits()}
	return func(m *archive.Mail, endpoint string, d preview.Delivery) (*webhook.Preview, error) {
		ep := router.Endpoint(endpoint)
		if ep == nil {
			return nil, preview.ErrEndpoint
		}
		return preview.Of(sender, ep, m, d, o)
	}
}

// httpGrace is for requests under way at the end; the sessions had theirs.
const httpGrace = 5 * time.Second

var (
	_ gateway.Observer  = (*metrics.Metrics)(nil)
	_ dispatch.Observer = (*metrics.Metrics)(nil)
)
