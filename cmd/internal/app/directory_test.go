package app

import (
	"context"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"postern/cmd/internal/config"
	"postern/gateway/directory"
	"postern/webhook"
)

// TestPostmaster: whatever the pattern's form, postmaster at a domain of ours
// is known while the directory is away; elsewhere nobody can say.
func TestPostmaster(t *testing.T) {
	for match, c := range map[string]struct {
		domain string
		code   int
	}{
		"in.example.com":        {"in.example.com", 250},
		"*@in.example.com":      {"IN.example.com", 250},
		"@in.example.com":       {"in.example.com", 250},
		"sales@in.example.com":  {"in.example.com", 250},
		"*@*.example.com":       {"in.example.com", 250},
		"*@пример.рф":           {"xn--e1afmkfd.xn--p1ai", 250},
		"sales@*":               {"in.example.com", 250},
		"*@*.example.net":       {"in.example.com", 450},
		"sales@out.example.com": {"in.example.com", 450},
	} {
		conf, err := config.Load([]string{
			"POSTERN_WEBHOOK_URL=http://127.0.0.1:3000/mail", "POSTERN_RETRY_STORE=off", "POSTERN_DOMAIN=mx.example.com",
			"POSTERN_WEBHOOK_MATCH=" + match, "POSTERN_DIRECTORY_URL=http://127.0.0.1:1/",
		})
		if err != nil {
			t.Fatal(err)
		}
		ep, err := webhook.NewEndpoint(webhook.Config{Name: "ep", URL: "http://127.0.0.1:3000/mail", Match: []string{match}})
		if err != nil {
			t.Fatal(err)
		}
		d, err := (&App{cfg: conf, registry: prometheus.NewRegistry()}).newDirectory(webhook.NewRouter([]*webhook.Endpoint{ep}))
		if err != nil {
			t.Fatal(err)
		}
		if a := d.Recipient(context.Background(), directory.Query{Address: "Postmaster@" + c.domain}); a.Code != c.code {
			t.Errorf("%s: postmaster@%s is %d, want %d", match, c.domain, a.Code, c.code)
		}
	}
}
