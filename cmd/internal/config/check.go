package config

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"postern/gateway/auth"
	"postern/gateway/reload"
	"postern/webhook"
)

// complete fills what has a default that depends on something else.
func (c *Config) complete() {
	if c.Listen.Domain == "" {
		c.Listen.Domain = HostName()
	}
	if c.TLS.Mode == "" {
		c.TLS.Mode = "off"
		if c.TLS.CertFile != "" {
			c.TLS.Mode = "offer"
		}
	}
	if c.Webhook.Name == "" {
		c.Webhook.Name = "default"
	}
	for i := range c.Webhooks {
		if c.Webhooks[i].Name == "" {
			c.Webhooks[i].Name = "webhook-" + strconv.Itoa(i)
		}
	}
	if c.Delivery.Store == "" {
		c.Delivery.Store = defaultStore("/var/lib/postern", "postern-data")
	}
}

func HostName() string {
	name, err := os.Hostname()
	if err != nil || name == "" {
		return "localhost"
	}
	return name
}

// defaultStore is sqlite in the system's folder where that is writable or can
// be made, else in the local one. It only looks: what needs the store makes it.
func defaultStore(system, local string) Store {
	for dir := system; ; dir = filepath.Dir(dir) {
		err := unix.Access(dir, unix.W_OK|unix.X_OK)
		if err == nil {
			return Store("sqlite://" + system)
		}
		if !errors.Is(err, fs.ErrNotExist) {
			break
		}
	}
	if abs, err := filepath.Abs(local); err == nil {
		local = abs
	}
	return Store("sqlite://" + local)
}

// needEndpoint refuses a gateway that would have nowhere to put its mail.
func (c *Config) needEndpoint() error {
	if len(c.Endpoints()) > 0 {
		return nil
	}
	return &variableError{variable: Prefix + "WEBHOOK_URL",
		why: "is not set: it is the URL that mail is POSTed to, such as http://127.0.0.1:3000/mail (postern listen starts one to try with)"}
}

// checker gathers what is wrong between variables.
type checker struct{ errs []error }

func (k *checker) refuse(bad bool, variable, format string, args ...any) {
	if bad {
		k.errs = append(k.errs, &variableError{variable: Prefix + variable, why: fmt.Sprintf(format, args...)})
	}
}

// leastMemory is what the process itself takes, twice.
const leastMemory = 64 << 20

// check holds variables against each other.
func (c *Config) check() []error {
	var k checker
	c.checkTLS(&k)
	c.checkStore(&k)
	seen := make(map[string]string)
	for i := range c.Webhooks {
		c.checkEndpoint(&k, &c.Webhooks[i], fmt.Sprintf("WEBHOOK_%d_", i), seen)
	}
	if c.Webhook.URL != "" {
		c.checkEndpoint(&k, &c.Webhook, "WEBHOOK_", seen)
	}
	k.refuse(c.Listen.SMTPAddr == "" && c.Listen.SMTPSAddr == "" && c.Listen.LMTPAddr == "", "SMTP_ADDR",
		"is off and neither POSTERN_SMTPS_ADDR nor POSTERN_LMTP_ADDR is set: no mail could come in")
	k.patterns("RECIPIENTS", c.Directory.Recipients)
	k.signs("DIRECTORY_SECRET", c.Directory.Secret.Value)
	c.checkSender(&k)
	k.refuse(c.Process.MemoryLimit > 0 && c.Process.MemoryLimit < leastMemory, "MEMORY_LIMIT", "leaves no room for mail: at least 64MiB are needed")
	k.refuse(strings.HasPrefix(string(c.Listen.HTTPAddr), "unix:"), "HTTP_ADDR", "must be host:port or off")
	return k.errs
}

func (k *checker) patterns(variable string, list List) {
	for _, word := range list {
		_, err := webhook.ParsePattern(word)
		k.refuse(err != nil, variable, "%v", err)
	}
}

// signs refuses a secret that can't sign; none is allowed.
func (k *checker) signs(variable string, s webhook.Secret) {
	if s == "" {
		return
	}
	if _, err := webhook.Sign(s, "", time.Time{}, func(io.Writer) error { return nil }); err != nil {
		_, why, _ := strings.Cut(err.Error(), ": ")
		k.refuse(true, variable, "is %s", why)
	}
}

func (c *Config) checkTLS(k *checker) {
	t := c.TLS
	k.refuse(t.CertFile == "" && t.KeyFile != "", "TLS_CERT_FILE", "is not set, but POSTERN_TLS_KEY_FILE is: set both")
	k.refuse(t.CertFile != "" && t.KeyFile == "", "TLS_KEY_FILE", "is not set, but POSTERN_TLS_CERT_FILE is: set both")
	if t.CertFile == "" {
		k.refuse(t.Mode != "off", "TLS_MODE", "%s needs POSTERN_TLS_CERT_FILE and POSTERN_TLS_KEY_FILE", t.Mode)
		k.refuse(c.Listen.SMTPSAddr != "", "SMTPS_ADDR", "needs POSTERN_TLS_CERT_FILE and POSTERN_TLS_KEY_FILE")
		k.refuse(t.ClientCAFile != "", "TLS_CLIENT_CA_FILE", "needs POSTERN_TLS_CERT_FILE and POSTERN_TLS_KEY_FILE")
	}
	k.refuse(t.AuthRequired && t.UsersFile == "", "AUTH_REQUIRED", "needs POSTERN_USERS_FILE, or nobody could sign in")
	k.refuse(c.SMTP.Turn && t.UsersFile == "", "SMTP_TURN", "needs POSTERN_USERS_FILE: only its users may collect")
}

func (c *Config) checkSender(k *checker) {
	s := c.Sender
	k.refuse(s.DMARC == "enforce" && !s.Authenticate, "DMARC", "enforce needs POSTERN_AUTHENTICATE=true")
	k.refuse(s.TrustResultsOf != "" && len(s.TrustedRelays) == 0, "TRUST_RESULTS_OF", "needs POSTERN_TRUSTED_RELAYS: whose results are believed only from there")
	k.refuse(s.TrustResultsOf != "" && auth.SameHost(s.TrustResultsOf, c.Listen.Domain), "TRUST_RESULTS_OF",
		"%q is our own name (POSTERN_DOMAIN): what a mail says under that name is forged", s.TrustResultsOf)
	k.refuse(s.TrustResultsBelow && s.TrustResultsOf == "", "TRUST_RESULTS_BELOW", "needs POSTERN_TRUST_RESULTS_OF: whose results they are")
	k.refuse(s.TrustResultsOf != "" && !s.Authenticate, "TRUST_RESULTS_OF", "needs POSTERN_AUTHENTICATE=true")
	k.refuse(s.RspamdEnforce && s.RspamdURL == "", "RSPAMD_ENFORCE", "needs POSTERN_RSPAMD_URL")
	for _, server := range s.DNS {
		k.refuse(strings.ContainsAny(server, " /"), "DNS", "%q must be host or host:port, without a scheme", server)
	}
}

func (c *Config) checkStore(k *checker) {
	d := c.Delivery
	off := d.Store == StoreOff
	k.refuse(off && d.Accept == "queue", "ACCEPT", "queue needs a store, and POSTERN_RETRY_STORE is off")
	k.refuse(off && d.BodyStore != "", "BODY_STORE", "holds bodies of queued mail, and POSTERN_RETRY_STORE is off")
	k.refuse(off && d.PublicURL != "", "PUBLIC_URL", "content by url needs a store, and POSTERN_RETRY_STORE is off")
	k.refuse(off && d.Keep > 0, "KEEP", "delivered mail is kept beside a store, and POSTERN_RETRY_STORE is off")
	k.refuse(off && d.DSNRelay != "", "DSN_RELAY", "reports need a store, and POSTERN_RETRY_STORE is off")
	k.refuse(d.RetryFirst > d.RetryMax, "RETRY_FIRST", "%s is longer than POSTERN_RETRY_MAX_DELAY, %s", d.RetryFirst, d.RetryMax)
}

var endpointName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$`)

func (c *Config) checkEndpoint(k *checker, w *Webhook, prefix string, seen map[string]string) {
	k.refuse(w.URL == "", prefix+"URL", "is not set, but other variables of this endpoint are")
	k.refuse(!endpointName.MatchString(w.Name), prefix+"NAME", "%q must be letters, digits, dots, dashes and underscores, at most 64", w.Name)
	before := len(k.errs)
	other, twice := seen[w.Name]
	k.refuse(twice, prefix+"NAME", "%q is %s%sNAME too: names must differ", w.Name, Prefix, other)
	seen[w.Name] = prefix
	k.refuse(w.Token.Value != "" && w.Username != "", prefix+"TOKEN", "and %s%sUSERNAME exclude each other: one Authorization header", Prefix, prefix)
	k.refuse(w.Password.Value != "" && w.Username == "", prefix+"USERNAME", "is not set, but %s%sPASSWORD is", Prefix, prefix)
	k.refuse((w.CertFile == "") != (w.KeyFile == ""), prefix+"CERT_FILE", "and %s%sKEY_FILE need each other", Prefix, prefix)
	gated := w.Require != "" || len(w.AllowFrom) > 0
	k.refuse(gated && !c.Sender.Authenticate, prefix+"REQUIRE", "or ALLOW_FROM needs POSTERN_AUTHENTICATE=true: nobody could be verified")
	k.refuse(gated && c.Sender.Authenticate && c.Sender.DMARC == "off", prefix+"REQUIRE", "or ALLOW_FROM needs POSTERN_DMARC=report or enforce: nobody could be verified")
	byURL := w.Attachments == "url" || w.Raw == "url"
	k.refuse(byURL && c.Delivery.PublicURL == "", prefix+"ATTACHMENTS", "or RAW is url: that needs POSTERN_PUBLIC_URL")
	if len(k.errs) == before && w.URL != "" {
		_, err := w.Endpoint(reload.Deps{})
		k.fields(prefix, err)
	}
}

// fields takes over the errors of webhook.NewEndpoint, each of which begins
// with its field.
func (k *checker) fields(prefix string, err error) {
	if err == nil {
		return
	}
	all := []error{err}
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		all = joined.Unwrap()
	}
	for _, e := range all {
		field, why, _ := strings.Cut(e.Error(), ": ")
		k.errs = append(k.errs, &variableError{variable: Prefix + prefix + field, why: why})
	}
}
