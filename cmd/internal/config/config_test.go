package config

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"postern/gateway/reload"
)

const anEndpoint = "POSTERN_WEBHOOK_URL=http://127.0.0.1:3000/mail"

func TestConfigDefaults(t *testing.T) {
	c, err := Load([]string{anEndpoint, "POSTERN_RETRY_STORE=sqlite:///data"})
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range settings(c) {
		want := s.field.Tag.Get("envDefault")
		if d, err := time.ParseDuration(want); err == nil && want != "0" {
			want = Duration(d)
		}
		if got := s.text(); want != "" && got != want {
			t.Errorf("%s = %q, the table says %q", s.key, got, want)
		}
	}
	if c.Webhook.Name != "default" || c.TLS.Mode != "off" || c.Listen.Domain == "" {
		t.Errorf("computed defaults: name %q, TLS mode %q, domain %q", c.Webhook.Name, c.TLS.Mode, c.Listen.Domain)
	}
	if w := c.Warnings(nil); len(w) != 1 || !strings.Contains(w[0], "every address") {
		t.Errorf("warnings = %q, want one about the catch-all", w)
	}
}

func TestConfigValues(t *testing.T) {
	c, err := Load([]string{
		"PATH=/bin", anEndpoint, "POSTERN_RETRY_STORE=off", "POSTERN_GRACE=",
		"POSTERN_SMTP_MAX_SIZE=25MB", "POSTERN_PROXY_FROM=10.0.0.0/8, 192.0.2.7", "POSTERN_HTTP_ADDR=off",
		"POSTERN_WEBHOOK_0_URL=https://a.example/mail?key=s3cret", "POSTERN_WEBHOOK_0_MATCH=sales@a.example,*@b.example",
		"POSTERN_WEBHOOK_0_HEADERS=X-One: 1\nX-Two: a, b:c\n", "POSTERN_WEBHOOK_0_REJECT=404,422", "POSTERN_WEBHOOK_1_URL=https://b.example/",
		// what Kubernetes sets for Services named postern and postern-smtp
		"POSTERN_PORT=tcp://10.0.0.1:25", "POSTERN_PORT_25_TCP_ADDR=10.0.0.1", "POSTERN_SERVICE_HOST=10.0.0.1", "POSTERN_SMTP_SERVICE_PORT_SMTP=25",
	})
	if err != nil {
		t.Fatal(err)
	}
	if c.SMTP.MaxSize != 25e6 || c.Listen.ProxyFrom.String() != "10.0.0.0/8,192.0.2.7/32" || c.Listen.HTTPAddr != "" || c.Process.Grace != time.Minute {
		t.Errorf("got %v %v %q %v", c.SMTP.MaxSize, c.Listen.ProxyFrom, c.Listen.HTTPAddr, c.Process.Grace)
	}
	eps := c.Endpoints()
	if len(eps) != 3 || eps[0].Name != "webhook-0" || eps[1].Name != "webhook-1" || eps[2].Name != "default" || eps[1].Concurrency != 0 {
		t.Fatalf("endpoints = %+v", eps)
	}
	if eps[0].Match.String() != "sales@a.example,*@b.example" || eps[0].Headers["X-Two"][0] != "a, b:c" || eps[0].Reject[1] != "422" {
		t.Errorf("endpoint 0 = %+v", eps[0])
	}
	if strings.Contains(eps[0].URL.String(), "s3cret") {
		t.Errorf("the URL prints its query: %s", eps[0].URL)
	}
}

// Each mistake names its variable and says what would be valid.
func TestConfigMistakes(t *testing.T) {
	file := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(file, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct{ environ, want string }{
		{"", "POSTERN_WEBHOOK_URL is not set"},
		{"POSTERN_WEBHOOK_URL=localhost:3000", `POSTERN_WEBHOOK_URL="localhost:3000" must be an http or https URL`},
		{"POSTERN_WEBHOOK_TIMOUT=3s", "POSTERN_WEBHOOK_TIMOUT is no variable of ours; the nearest is POSTERN_WEBHOOK_TIMEOUT"},
		{"POSTERN_SMPT_MAX_SIZE=3", "the nearest is POSTERN_SMTP_MAX_SIZE"},
		{"POSTERN_WEBHOOK_0_URL=http://a/ POSTERN_WEBHOOK_0_RETRYTIMEOUT=3s", "the nearest is POSTERN_WEBHOOK_0_RETRY_TIMEOUT"},
		{"POSTERN_WEBHOOK_0_URL=http://a/ POSTERN_WEBHOOK_2_URL=http://b/", "POSTERN_WEBHOOK_1_URL is missing: endpoints are numbered from 0 without a gap, and 0, 2 are set"},
		{"POSTERN_WEBHOOK_1_URL=http://b/", "POSTERN_WEBHOOK_0_URL is missing"},
		{"POSTERN_WEBHOOK_0_MATCH=a@b", "POSTERN_WEBHOOK_0_URL is not set"},
		{"POSTERN_WEBHOOK_TIMEOUT=3", `POSTERN_WEBHOOK_TIMEOUT="3" must be a time such as`},
		{"POSTERN_MEMORY_LIMIT=32MiB", "POSTERN_MEMORY_LIMIT leaves no room for mail: at least 64MiB"},
		{"POSTERN_GRACE=-3s", `POSTERN_GRACE="-3s" must be a time such as`},
		{"POSTERN_SMTP_MAX_SIZE=fifty", `POSTERN_SMTP_MAX_SIZE="fifty" must be a size such as`},
		{"POSTERN_SMTP_MAX_RECIPIENTS=99", `must be a whole number, at least 100`},
		{"POSTERN_SMTP_VRFY=maybe", `POSTERN_SMTP_VRFY="maybe" must be true or false`},
		{"POSTERN_SMTP_BARE_LF=ignore", "must be one of normalize, reject"},
		{"POSTERN_LMTP_MODE=rw-rw-rw-", "must be permissions such as 0666"},
		{"POSTERN_LMTP_MODE=1777", "must be permissions such as 0666"},
		{"POSTERN_WEBHOOK_FORMAT=xml", "must be one of postern, raw, postmark"},
		{"POSTERN_PROXY_FROM=10.0.0.0/33", "must be networks such as"},
		{"POSTERN_SMTP_ADDR=2525", "must be host:port"},
		{"POSTERN_SMTP_ADDR=off", "no mail could come in"},
		{"POSTERN_RETRY_STORE=mysql://u:s3cret@h/d", "POSTERN_RETRY_STORE must be sqlite:// and a folder"},
		{"POSTERN_RETRY_STORE=off POSTERN_ACCEPT=queue", "queue needs a store"},
		{"POSTERN_TLS_MODE=require", "require needs POSTERN_TLS_CERT_FILE"},
		{"POSTERN_TLS_KEY_FILE=/k", "POSTERN_TLS_CERT_FILE is not set"},
		{"POSTERN_WEBHOOK_MATCH=sales", `POSTERN_WEBHOOK_MATCH pattern "sales": write "sales@*"`},
		{"POSTERN_RECIPIENTS=sales@", "POSTERN_RECIPIENTS pattern"},
		{"POSTERN_DIRECTORY_SECRET=s3cret", "POSTERN_DIRECTORY_SECRET is not a Standard Webhooks secret; use"},
		{"POSTERN_TRUSTED_FORWARDERS=10.0.0.0/8", "POSTERN_TRUSTED_FORWARDERS is no variable of ours any more: set POSTERN_TRUSTED_RELAYS, "},
		{"POSTERN_DMARC=enforce POSTERN_AUTHENTICATE=false", "POSTERN_DMARC enforce needs POSTERN_AUTHENTICATE=true"},
		{"POSTERN_TRUST_RESULTS_OF=mx.front.example", "needs POSTERN_TRUSTED_RELAYS"},
		{"POSTERN_TRUST_RESULTS_BELOW=true", "needs POSTERN_TRUST_RESULTS_OF"},
		{"POSTERN_DOMAIN=mx.bücher.example POSTERN_TRUSTED_RELAYS=10.0.0.0/8 POSTERN_TRUST_RESULTS_OF=MX.xn--bcher-kva.example.", "is our own name"},
		{"POSTERN_TRUSTED_RELAYS=10.0.0.0/8 POSTERN_TRUST_RESULTS_OF=mx.front.example POSTERN_AUTHENTICATE=false", "needs POSTERN_AUTHENTICATE=true"},
		{"POSTERN_TRUSTED_FORWARDERS=10.0.0.0/8 POSTERN_TRUSTED_RELAYS=10.0.0.0/8", "set POSTERN_TRUSTED_RELAYS, "},
		{"POSTERN_DNS=udp://192.0.2.1", "must be host or host:port"},
		{"POSTERN_WEBHOOK_REQUIRE=spf", `POSTERN_WEBHOOK_REQUIRE="spf" must be one of verified`},
		{"POSTERN_WEBHOOK_REQUIRE=verified POSTERN_AUTHENTICATE=false", "POSTERN_WEBHOOK_REQUIRE or ALLOW_FROM needs POSTERN_AUTHENTICATE=true"},
		{"POSTERN_WEBHOOK_ALLOW_FROM=a@b.example POSTERN_AUTHENTICATE=false", "needs POSTERN_AUTHENTICATE=true"},
		{"POSTERN_WEBHOOK_ALLOW_FROM=a@b.example POSTERN_DMARC=off", "needs POSTERN_DMARC=report or enforce"},
		{"POSTERN_WEBHOOK_ALLOW_FROM=boss", `POSTERN_WEBHOOK_ALLOW_FROM pattern "boss": write "boss@*"`},
		{"POSTERN_WEBHOOK_RAW=url", "needs POSTERN_PUBLIC_URL"},
		{"POSTERN_WEBHOOK_REJECT=200", "must be statuses such as 404,422"},
		{"POSTERN_WEBHOOK_HEADERS=s3cret", "POSTERN_WEBHOOK_HEADERS must be lines of Name: value"},
		{"POSTERN_WEBHOOK_0_URL=http://a/ POSTERN_WEBHOOK_0_NAME=default", "names must differ"},
		{"POSTERN_WEBHOOK_SECRET=x POSTERN_WEBHOOK_SECRET_FILE=" + file, "are both set: set one of them"},
		{"POSTERN_HTTP_TOKEN_FILE=/does/not/exist", "must name a readable file"},
		{"POSTERN_HTTP_TOKEN_FILE=/dev/zero", "must name a readable file"},
	} {
		environ := strings.Fields(tc.environ)
		if tc.environ != "" && !strings.Contains(tc.environ, "POSTERN_WEBHOOK_URL=") {
			environ = append(environ, anEndpoint)
		}
		_, err := Load(environ)
		var ce *Error
		if !errors.As(err, &ce) || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s:\n got %v\nwant %s", tc.environ, err, tc.want)
		}
		if err != nil && strings.Contains(err.Error(), "s3cret") {
			t.Errorf("%s: the error shows a secret: %v", tc.environ, err)
		}
	}
}

// All mistakes come at once: names, values, and what doesn't fit together. What
// only follows from another mistake doesn't.
func TestConfigMistakesAtOnce(t *testing.T) {
	for environ, want := range map[string][]string{
		anEndpoint + " POSTERN_X=1 POSTERN_GRACE=soon POSTERN_DMARC=yes POSTERN_WEBHOOK_0_URL=http://a/ POSTERN_WEBHOOK_0_TIMEOUT=soon POSTERN_TLS_KEY_FILE_=x": {
			"POSTERN_TLS_KEY_FILE_ is no", "POSTERN_X is no", "POSTERN_WEBHOOK_0_TIMEOUT=", "POSTERN_DMARC=", "POSTERN_GRACE="},
		"POSTERN_GRACE=soon POSTERN_TLS_KEY_FILE=/k POSTERN_RETRY_STORE=off POSTERN_ACCEPT=queue": {
			"POSTERN_GRACE=", "POSTERN_TLS_CERT_FILE is not set", "POSTERN_ACCEPT queue needs a store", "POSTERN_WEBHOOK_URL is not set"},
		"POSTERN_WEBHOOK_URL=localhost:3000":                                                 {"POSTERN_WEBHOOK_URL="},
		"POSTERN_WEBHOOK_1_URL=http://a/":                                                    {"POSTERN_WEBHOOK_0_URL is missing", "POSTERN_WEBHOOK_URL is not set"},
		anEndpoint + " POSTERN_PUBLIC_URL=nowhere POSTERN_WEBHOOK_RAW=url":                   {"POSTERN_PUBLIC_URL="},
		anEndpoint + " POSTERN_WEBHOOK_USERNAME_FILE=/x POSTERN_WEBHOOK_PASSWORD_FILE=/none": {"POSTERN_WEBHOOK_USERNAME_FILE is no", "POSTERN_WEBHOOK_PASSWORD_FILE="},
	} {
		_, err := Load(strings.Fields(environ))
		var ce *Error
		if !errors.As(err, &ce) || len(ce.problems) != len(want) {
			t.Errorf("%s:\nwant %d problems: %v", environ, len(want), err)
			continue
		}
		for i, w := range want {
			if !strings.HasPrefix(ce.problems[i].Error(), w) {
				t.Errorf("%s: problem %d is %v, want %s", environ, i, ce.problems[i], w)
			}
		}
	}
}

func TestSecretFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "secret")
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("first\n")
	c, err := Load([]string{anEndpoint, "POSTERN_WEBHOOK_TOKEN_FILE=" + file})
	if err != nil {
		t.Fatal(err)
	}
	if got := c.Webhook.Token.Value.Reveal(); got != "first" {
		t.Errorf("the secret is %q: the line end belongs to the file", got)
	}
	now := time.Now()
	live := c.Webhook.Token.Source(reload.Deps{Now: func() time.Time { return now }})
	for _, step := range []struct{ content, want string }{{"second", "second"}, {"", "second"}, {"\n", "second"}, {"third\r\n", "third"}} {
		write(step.content)
		now = now.Add(reload.Every)
		if got := live().Reveal(); got != step.want {
			t.Errorf("after the file became %q the secret is %q, want %q", step.content, got, step.want)
		}
	}
}

func TestConfigHidesSecrets(t *testing.T) {
	c, err := Load([]string{
		"POSTERN_WEBHOOK_URL=https://u:s3cret@a.example/?t=s3cret", "POSTERN_WEBHOOK_SECRET=whsec_s3crets3crets3crets3crets3crets3crets3cr", "POSTERN_WEBHOOK_USERNAME=u", "POSTERN_WEBHOOK_PASSWORD=s3cret",
		"POSTERN_WEBHOOK_HEADERS=X: s3cret", "POSTERN_RETRY_STORE=postgres://u:s3cret@h/d?password=s3cret", "POSTERN_HTTP_TOKEN=s3cret",
		"POSTERN_DSN_RELAY=smtp://u:s3cret@h:25", "POSTERN_DIRECTORY_SECRET=whsec_s3crets3crets3crets3crets3crets3crets3cr", "POSTERN_URL_SECRET=s3cret",
	})
	if err != nil {
		t.Fatal(err)
	}
	out := new(bytes.Buffer)
	if err := Write(out, c); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(out.String(), "s3cret") {
		t.Errorf("a secret shows:\n%s", out)
	}
	if !strings.Contains(out.String(), "POSTERN_WEBHOOK_SECRET=[hidden]\n") {
		t.Errorf("a set secret should show as hidden:\n%s", out)
	}
}

func TestDefaultStore(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "file"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct{ system, want string }{
		{dir, dir}, // it is there
		{dir + "/lib/postern", dir + "/lib/postern"}, // it can be made
		{dir + "/file/postern", dir + "/local"},      // it can't
	} {
		if got := defaultStore(tc.system, dir+"/local"); got.Folder() != tc.want {
			t.Errorf("with %s the store is %s, want %s", tc.system, got, tc.want)
		}
	}
	if _, err := os.Stat(dir + "/lib"); err == nil {
		t.Error("looking made a folder")
	}
}

func TestSize(t *testing.T) {
	for text, want := range map[string]Size{"0": 0, "512": 512, "64KiB": 65536, "50 mib": 50 << 20, "1GB": 1e9, "8TiB": 8 << 40, "7B": 7} {
		var s Size
		if err := s.UnmarshalText([]byte(text)); err != nil || s != want {
			t.Errorf("%q = %d, %v; want %d", text, s, err, want)
		}
		var again Size
		if err := again.UnmarshalText([]byte(s.String())); err != nil || again != s {
			t.Errorf("%q prints as %q, which reads as %d, %v", text, s, again, err)
		}
	}
	for _, text := range []string{"", "-1", "1.5GiB", "MiB", "9000000TiB", "5 parsecs"} {
		if s := new(Size); s.UnmarshalText([]byte(text)) == nil {
			t.Errorf("%q should not be a size, but is %d", text, *s)
		}
	}
}
