package config

import (
	"slices"
	"strings"
	"testing"
)

// What is allowed but seldom meant is told, each in its own words, and a usual
// environment is told nothing.
func TestWarnings(t *testing.T) {
	usual := []string{anEndpoint, "POSTERN_RETRY_STORE=off", "POSTERN_RECIPIENTS=*@in.example.com,support+*@a.example,sales@*,*@*.b.example,x@[192.0.2.1]"}
	for _, c := range []struct {
		more []string
		want string // words of the only warning, "" for none
	}{
		{nil, ""},
		{[]string{"POSTERN_SMTP_MAX_SIZE=50"}, "POSTERN_SMTP_MAX_SIZE is 50 octets, for want of a unit: write 50MiB"},
		{[]string{"POSTERN_SMTP_MAX_SIZE=50000"}, "most mails are larger"},
		{[]string{"POSTERN_SMTP_MAX_SIZE=65536", "POSTERN_SMTP_MIN_DATA_RATE=100", "POSTERN_WEBHOOK_INLINE_LIMIT=0"}, ""},
		{[]string{"POSTERN_RETRY_MAX_BYTES=4"}, "POSTERN_RETRY_MAX_BYTES is 4 octets"},
		{[]string{"POSTERN_WEBHOOK_INLINE_LIMIT=5"}, "POSTERN_WEBHOOK_INLINE_LIMIT is 5 octets"},
		{[]string{"POSTERN_RECIPIENTS=.*@in.example.com"}, `POSTERN_RECIPIENTS: ".*@in.example.com" looks like a regular expression`},
		{[]string{"POSTERN_RECIPIENTS=^sales@in.example.com"}, "regular expression"},
		{[]string{`POSTERN_RECIPIENTS=sales@in\.example\.com`}, "regular expression"},
		{[]string{"POSTERN_RECIPIENTS=(sales|help)@in.example.com"}, "regular expression"},
		{[]string{"POSTERN_RECIPIENTS=sales@in.example.com$"}, "regular expression"},
		{[]string{"POSTERN_WEBHOOK_ALLOW_FROM=[a-z]+@in.example.com"}, "POSTERN_WEBHOOK_ALLOW_FROM"},
		{[]string{"POSTERN_WEBHOOK_0_URL=http://127.0.0.1:1/", "POSTERN_WEBHOOK_0_MATCH=.+@in.example.com"}, "POSTERN_WEBHOOK_0_MATCH"},
		{[]string{"POSTERN_HTTP_TOKEN=abc"}, "POSTERN_HTTP_TOKEN has 3 characters"},
		{[]string{"POSTERN_HTTP_TOKEN=0123456789abcdef"}, ""},
		{[]string{"POSTERN_WEBHOOK_URL=https://a.example/", "POSTERN_WEBHOOK_TOKEN=abc"}, "endpoint default has a TOKEN of 3 characters"},
		{[]string{"POSTERN_WEBHOOK_URL=https://a.example/", "POSTERN_WEBHOOK_USERNAME=u", "POSTERN_WEBHOOK_PASSWORD=abc"}, "a PASSWORD of 3 characters"},
		{[]string{"POSTERN_WEBHOOK_TOKEN=0123456789abcdef"}, "in the clear"},
		{[]string{"HTTPS_PROXY=http://user:s3cret@proxy:3128"}, ""},
		{[]string{"POSTERN_WEBHOOK_URL=https://a.example/", "HTTPS_PROXY=http://user:s3cret@proxy:3128"}, "endpoint default is reached through a proxy, since HTTPS_PROXY says so"},
		{[]string{"POSTERN_WEBHOOK_URL=https://a.example/", "https_proxy=proxy:3128", "no_proxy=a.example"}, ""},
		{[]string{"POSTERN_WEBHOOK_URL=http://a.example/", "https_proxy=proxy:3128"}, ""},
		{[]string{"POSTERN_DIRECTORY_URL=http://a.example/", "http_proxy=proxy:3128"}, "POSTERN_DIRECTORY_URL is reached through a proxy"},
		{[]string{"POSTERN_RECIPIENTS="}, "of every domain, from whoever reaches POSTERN_SMTP_ADDR :2525: set"},
		{[]string{"POSTERN_RECIPIENTS=", "POSTERN_SMTP_ADDR=127.0.0.1:25"}, "of every domain: set"},
		{[]string{"POSTERN_RECIPIENTS=", "POSTERN_SMTP_ADDR=off", "POSTERN_LMTP_ADDR=unix:/run/postern"}, "of every domain: set"},
		{[]string{"POSTERN_RECIPIENTS=", "POSTERN_SMTP_ADDR=[::1]:25", "POSTERN_LMTP_ADDR=10.0.0.1:24"}, "reaches POSTERN_LMTP_ADDR 10.0.0.1:24:"},
		{[]string{"POSTERN_WEBHOOK_TERMINAL=true", "POSTERN_SMTP_LEGACY=true"}, "every endpoint is a terminal"},
		{[]string{"POSTERN_FAILURE_URL=http://127.0.0.1:1/"}, "POSTERN_FAILURE_URL is told of dead letters by POSTs that nothing proves"},
		{[]string{"POSTERN_FAILURE_URL=http://u:s3cret@127.0.0.1:1/"}, ""},
		{[]string{"POSTERN_FAILURE_URL=http://127.0.0.1:1/", "POSTERN_WEBHOOK_SECRET=whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"}, ""},
		{[]string{"POSTERN_FAILURE_URL=http://127.0.0.1:1/", "POSTERN_WEBHOOK_SECRET=whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "POSTERN_WEBHOOK_FORMAT=postmark"}, "nothing proves"},
		{[]string{"POSTERN_USERS_FILE=users"}, "nobody can sign in"},
	} {
		environ := slices.Concat(usual, c.more)
		if slices.Contains(c.more, "POSTERN_RECIPIENTS=") {
			environ = slices.Concat(usual[:len(usual)-1], c.more)
		}
		cfg, err := Load(environ)
		if err != nil {
			t.Errorf("%q: %v", c.more, err)
			continue
		}
		all := cfg.Warnings(environ)
		if c.want == "" && len(all) == 0 {
			continue
		}
		if len(all) != 1 || c.want == "" || !strings.Contains(all[0], c.want) {
			t.Errorf("%q: %q, want one with %q", c.more, all, c.want)
		}
		if strings.Contains(strings.Join(all, "\n"), "s3cret") {
			t.Errorf("%q shows a secret: %q", c.more, all)
		}
	}
}
