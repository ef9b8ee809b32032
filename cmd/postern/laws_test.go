package main

import (
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// mayImport is who may import whom of our own packages: a new arrow is a
// decision, made here.
var mayImport = map[string][]string{
	"gateway/text":      {},
	"gateway/mail":      {"gateway/mail/automatic", "gateway/mail/calendar", "gateway/mail/charset", "gateway/mail/date", "gateway/mail/header", "gateway/mail/htmltext", "gateway/mail/replytext", "gateway/mail/signals", "gateway/mail/smime", "gateway/mail/tnef", "gateway/mail/transfer"},
	"gateway/spool":     {"gateway/budget", "gateway/mail"},
	"gateway/budget":    {},
	"gateway/auth":      {"gateway/mail"},
	"gateway/rspamd":    {"gateway/mail"},
	"gateway/directory": {"gateway/smtp/reply", "webhook/call"},
	"gateway/reload":    {},
	"gateway/archive":   {"gateway/mail", "retry"},
	"gateway/again":     {"gateway/archive", "gateway/dispatch", "gateway/history", "gateway/mail", "retry", "webhook"},
	"gateway/kept":      {"gateway/mail", "retry"},
	"gateway/preview":   {"gateway/archive", "gateway/mail", "webhook", "webhook/payload"},
	"gateway/report":    {"gateway/archive", "gateway/mail", "gateway/smtp/client", "retry", "webhook", "webhook/call"},
	"gateway/content":   {"gateway/archive", "gateway/budget", "gateway/mail"},
	"gateway/dispatch":  {"gateway/budget", "gateway/mail", "retry", "webhook", "webhook/payload"},
	"gateway/turn":      {"gateway/archive", "gateway/mail", "gateway/smtp", "gateway/smtp/address", "gateway/smtp/reply", "retry"},
	"gateway/history":   {"retry"},
	"gateway/tables":    {},
	"gateway/metrics":   {"gateway/budget", "gateway/directory", "gateway/dispatch", "gateway/mail", "gateway/smtp", "retry", "retry/s3", "webhook"},
	"gateway/tracing":   {"gateway/dispatch", "gateway/history", "gateway/smtp", "retry", "webhook"},
	"gateway/ops":       {"gateway/again", "gateway/archive", "gateway/budget", "gateway/content", "gateway/history", "gateway/mail", "gateway/ops/audit", "gateway/ops/change", "gateway/ops/page", "gateway/preview", "gateway/smtp", "retry", "webhook", "webhook/payload"},
	"gateway":           {"gateway/archive", "gateway/auth", "gateway/directory", "gateway/dispatch", "gateway/history", "gateway/mail", "gateway/smtp", "gateway/smtp/reply", "gateway/spool", "retry", "webhook"},
	"webhook/call":      {"webhook"},
	"webhook":           {"gateway/mail", "gateway/smtp/reply", "webhook/payload"},
	"webhook/payload":   {"gateway/mail", "gateway/mail/calendar", "gateway/mail/charset"},
	"retry":             {},
	"retry/engine":      {"retry"},
	"retry/sqlite":      {"retry", "retry/engine", "retry/sqlite/place", "retry/sqlite/wal"},
	"retry/postgres":    {"retry", "retry/engine"},
	"retry/queuetest":   {"retry"},
	"retry/s3":          {"retry", "retry/engine"},
	"retry/s3/s3test":   {"retry/s3"},

	"gateway/history/sqlite":      {"gateway/history"},
	"gateway/history/postgres":    {"gateway/history", "gateway/tables"},
	"gateway/history/historytest": {"gateway/history"},

	"gateway/kept/files":    {"gateway/kept", "retry", "retry/engine"},
	"gateway/kept/postgres": {"gateway/kept", "gateway/tables", "retry", "retry/engine"},
	"gateway/kept/kepttest": {"gateway/kept", "gateway/mail"},

	"gateway/ops/audit":  {},
	"gateway/ops/change": {"gateway/history", "retry"},
	"gateway/ops/page":   {"gateway/again", "gateway/archive", "gateway/content", "gateway/history", "gateway/mail", "gateway/ops/audit", "gateway/ops/change", "gateway/preview", "retry", "webhook"},

	"retry/postgres/pgtest": {},
	"retry/sqlite/place":    {},
	"retry/sqlite/wal":      {},

	"gateway/smtp/users":      {"gateway/smtp", "gateway/smtp/scram"},
	"gateway/smtp/proxyproto": {},
	"gateway/smtp/client":     {"gateway/smtp/reply"},
	"gateway/smtp/param":      {},
	"gateway/smtp/data":       {},
	"gateway/smtp/limit":      {},
	"gateway/smtp/scram":      {},
	"gateway/smtp":            {"gateway/smtp/address", "gateway/smtp/client", "gateway/smtp/data", "gateway/smtp/limit", "gateway/smtp/param", "gateway/smtp/proxyproto", "gateway/smtp/reply", "gateway/smtp/scram"},

	"gateway/smtp/reply":   {},
	"gateway/smtp/address": {},

	"gateway/mail/automatic":    {"gateway/mail/header"},
	"gateway/mail/calendar":     {},
	"gateway/mail/charset":      {},
	"gateway/mail/date":         {"gateway/mail/header"},
	"gateway/mail/header":       {"gateway/mail/charset", "gateway/mail/transfer"},
	"gateway/mail/htmltext":     {"gateway/mail/htmltext/css"},
	"gateway/mail/htmltext/css": {},
	"gateway/mail/replytext":    {},
	"gateway/mail/signals":      {"gateway/mail/header", "gateway/mail/htmltext"},
	"gateway/mail/smime":        {},
	"gateway/mail/tnef":         {"gateway/mail/charset"},
	"gateway/mail/transfer":     {},

	"cmd/internal/nearest":  {},
	"cmd/internal/cli":      {"cmd/internal/nearest"},
	"cmd/internal/config":   {"cmd/internal/nearest", "gateway/auth", "gateway/reload", "retry/s3", "webhook", "webhook/payload"},
	"cmd/internal/devhook":  {"webhook"},
	"cmd/internal/testmail": {},
	"cmd/internal/app":      everything,
	"cmd/postern":           everything,
}

// everything is what the wiring may import.
var everything = []string{"*"}

// anybody may import these: they know nothing of ours.
var anybody = []string{"gateway/text", "gateway/reload"}

func TestImports(t *testing.T) {
	out, err := exec.Command("go", "list", "-f", `{{.ImportPath}} {{join .Imports " "}}`, "postern/...").CombinedOutput()
	if err != nil {
		t.Fatalf("go list: %v\n%s", err, out)
	}
	seen := 0
	for line := range strings.Lines(string(out)) {
		words := strings.Fields(strings.ReplaceAll(line, "postern/", ""))
		from := words[0]
		allowed, known := mayImport[from]
		if !known {
			t.Errorf("package %s has no law: say in mayImport what it may import", from)
		}
		seen++
		for i, to := range strings.Fields(line)[1:] {
			if strings.HasPrefix(to, "postern/") && !slices.Contains(slices.Concat(anybody, allowed), words[i+1]) && !slices.Equal(allowed, everything) {
				t.Errorf("%s must not import %s", from, words[i+1])
			}
		}
	}
	if seen < 8 {
		t.Errorf("only %d packages were looked at", seen)
	}
}
