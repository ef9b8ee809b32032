package config

import (
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"golang.org/x/net/http/httpproxy"

	"postern/webhook"
)

// Warnings says what is allowed but seldom meant, and what the environment does
// to us in silence.
func (c *Config) Warnings(environ []string) []string {
	var w warner
	c.warnRecipients(&w)
	c.warnEndpoints(&w)
	c.warnSizes(&w)
	c.warnPatterns(&w)
	c.warnSecrets(&w)
	c.warnProxy(&w, environ)
	w.say(c.reportsUnsigned(), "POSTERN_FAILURE_URL is told of dead letters by POSTs that nothing proves: they are signed with POSTERN_WEBHOOK_SECRET where that endpoint has the native format; "+
		"a user and a password in the URL do, too")
	w.say(c.TLS.UsersFile != "" && c.TLS.CertFile == "", "POSTERN_USERS_FILE is set without a certificate: passwords only travel over TLS, so nobody can sign in")
	w.say(c.Delivery.Store != StoreOff && c.Delivery.PublicURL != "" && c.Listen.HTTPAddr == "",
		"POSTERN_PUBLIC_URL is set, but POSTERN_HTTP_ADDR is off: nobody serves content by url")
	return w.all
}

// reportsUnsigned reports whether the failure webhook can't know who POSTs.
func (c *Config) reportsUnsigned() bool {
	u, err := url.Parse(string(c.Delivery.FailureURL))
	return c.Delivery.FailureURL != "" && err == nil && u.User == nil && (c.Webhook.Secret.Value == "" || c.Webhook.Format != "postern")
}

// warner gathers warnings.
type warner struct{ all []string }

func (w *warner) say(meant bool, format string, args ...any) {
	if meant {
		w.all = append(w.all, fmt.Sprintf(format, args...))
	}
}

// warnRecipients: mail for everybody, from everybody.
func (c *Config) warnRecipients(w *warner) {
	if len(c.Directory.Recipients) > 0 || c.Directory.URL != "" {
		return
	}
	i := slices.IndexFunc(c.Endpoints(), func(e Webhook) bool { return catchAll(e.Match) && !e.Copy && !e.Terminal })
	if i < 0 {
		return
	}
	who := ""
	if public := c.publicListeners(); len(public) > 0 && !c.TLS.AuthRequired {
		who = ", from whoever reaches " + strings.Join(public, " or ")
	}
	w.say(true, "endpoint %s takes mail for every address of every domain%s: set POSTERN_RECIPIENTS (such as *@in.example.com) or POSTERN_DIRECTORY_URL", c.Endpoints()[i].Name, who)
}

// publicListeners are those that more than this machine reaches.
func (c *Config) publicListeners() []string {
	var all []string
	for _, l := range []struct {
		name string
		addr Addr
	}{{"SMTP_ADDR", c.Listen.SMTPAddr}, {"SMTPS_ADDR", c.Listen.SMTPSAddr}, {"LMTP_ADDR", c.Listen.LMTPAddr}} {
		if l.addr.public() {
			all = append(all, Prefix+l.name+" "+string(l.addr))
		}
	}
	return all
}

// public reports whether the address is reached from elsewhere than this machine.
func (a Addr) public() bool {
	host, _, err := net.SplitHostPort(string(a))
	if err != nil || strings.HasPrefix(string(a), "unix:") {
		return false
	}
	ip, err := netip.ParseAddr(host)
	return host != "localhost" && (err != nil || !ip.IsLoopback())
}

func catchAll(match List) bool {
	patterns, err := webhook.ParsePatterns(match)
	return len(match) == 0 || err == nil && patterns.CatchAll()
}

func (c *Config) warnEndpoints(w *warner) {
	terminal := func(e Webhook) bool { return e.Terminal }
	for _, e := range c.Endpoints() {
		w.say(strings.HasPrefix(string(e.URL), "http://") && (e.Token.Value != "" || e.Username != ""), "endpoint %s sends its credentials in the clear: use https", e.Name)
	}
	some := slices.ContainsFunc(c.Endpoints(), terminal)
	w.say(len(c.Endpoints()) > 0 && !slices.ContainsFunc(c.Endpoints(), func(e Webhook) bool { return !e.Terminal }),
		"every endpoint is a terminal: ordinary mail has nowhere to go and is refused with 550")
	w.say(!c.SMTP.Legacy && some, "terminals are only reached by SEND, SOML and SAML, and POSTERN_SMTP_LEGACY is off")
}

const (
	leastSize = 1 << 10  // octets: who writes less forgot the unit
	leastMail = 64 << 10 // octets: a mail with html is larger soon
)

// warnSizes: 50 is 50 octets, since it has no unit.
func (c *Config) warnSizes(w *warner) {
	for _, s := range settings(c) {
		size, ok := s.value.Interface().(Size)
		unset := strings.HasPrefix(s.key, Prefix+"WEBHOOK_") && size == 0
		if !ok || unset || strings.HasSuffix(s.key, "_RATE") {
			continue
		}
		w.say(size > 0 && size < leastSize, "%s is %d octets, for want of a unit: write %dMiB if those are meant", s.key, size, size)
		w.say(s.key == Prefix+"SMTP_MAX_SIZE" && size >= leastSize && size < leastMail, "%s is %s: most mails are larger and will be refused", s.key, size)
	}
}

// regular is what stands in regular expressions and in no address: a "*" alone
// is any run of characters here.
var regular = regexp.MustCompile(`\.\*|\.\+|^\^|\$$|\\|[][(){}|]`)

// warnPatterns: a regular expression is a pattern that nobody matches.
func (c *Config) warnPatterns(w *warner) {
	check := func(variable string, list List) {
		for _, p := range list {
			_, domain, _ := strings.Cut(p, "@")
			literal := strings.HasPrefix(domain, "[") // an address literal
			w.say(regular.MatchString(p) && !literal, "%s%s: %q looks like a regular expression, which it isn't taken for: * stands for any run of characters, as in *@in.example.com", Prefix, variable, p)
		}
	}
	check("RECIPIENTS", c.Directory.Recipients)
	for _, s := range settings(c) {
		if list, ok := s.value.Interface().(List); ok && (strings.HasSuffix(s.key, "_MATCH") || strings.HasSuffix(s.key, "_ALLOW_FROM")) {
			check(strings.TrimPrefix(s.key, Prefix), list)
		}
	}
}

// leastToken is the characters below which a token can be guessed.
const leastToken = 16

// warnSecrets: who guesses the operator's token reads all mail. The secrets of
// endpoints are the apps' to choose, but for what a child would guess.
func (c *Config) warnSecrets(w *warner) {
	n := len(c.Process.HTTPToken.Value)
	w.say(n > 0 && n < leastToken, "POSTERN_HTTP_TOKEN has %d characters: whoever guesses it reads all mail; openssl rand -hex 32 makes one", n)
	for _, e := range c.Endpoints() {
		for name, secret := range map[string]Secret{"TOKEN": e.Token, "PASSWORD": e.Password} {
			n := len(secret.Value)
			w.say(n > 0 && n < leastToken/2, "endpoint %s has a %s of %d characters: whoever guesses it can POST mail to the app", e.Name, name, n)
		}
	}
}

// warnProxy: what HTTPS_PROXY and HTTP_PROXY put between us and the apps.
func (c *Config) warnProxy(w *warner, environ []string) {
	proxies := proxiesOf(environ)
	check := func(what string, address URL) {
		to, err := url.Parse(string(address))
		if err != nil || address == "" {
			return
		}
		proxy, err := proxies(to)
		w.say(err == nil && proxy != nil, "%s is reached through a proxy, since %s_PROXY says so: a time-out or a 403 may be the proxy's; NO_PROXY=%s goes around it",
			what, strings.ToUpper(to.Scheme), to.Hostname())
	}
	for _, e := range c.Endpoints() {
		check("endpoint "+e.Name, e.URL)
	}
	check("POSTERN_DIRECTORY_URL", c.Directory.URL)
	check("POSTERN_FAILURE_URL", c.Delivery.FailureURL)
}

// proxiesOf are the proxies that an environment asks for.
func proxiesOf(environ []string) func(*url.URL) (*url.URL, error) {
	value := func(name string) (found string) {
		for _, kv := range environ {
			if key, v, _ := strings.Cut(kv, "="); v != "" && (key == name || key == strings.ToLower(name)) {
				found = v
			}
		}
		return found
	}
	return (&httpproxy.Config{HTTPProxy: value("HTTP_PROXY"), HTTPSProxy: value("HTTPS_PROXY"), NoProxy: value("NO_PROXY")}).ProxyFunc()
}
