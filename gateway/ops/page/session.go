package page

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"postern/gateway/ops/audit"
)

const (
	cookieName  = "postern_session"
	sessionLife = 12 * time.Hour
	// A wrong token costs its sender failPause, and no more than maxTries are
	// looked at at once: guessing is slow, whoever does it.
	failPause = time.Second
	maxTries  = 4
	maxForm   = 64 << 10 // octets
)

// A session is a time and its signature by a key that is made from the token:
// replicas and restarts know each other's, and a new token ends all of them.
func session(token string, ends time.Time) string {
	at := strconv.FormatInt(ends.Unix(), 10)
	return at + "." + sign(token, at)
}

func sign(token, text string) string {
	key := sha256.Sum256([]byte("postern session\x00" + token))
	h := hmac.New(sha256.New, key[:])
	h.Write([]byte(text))
	return base64.RawURLEncoding.EncodeToString(h.Sum(nil))
}

// valid reports whether a cookie is a session that hasn't ended.
func valid(token, cookie string, now time.Time) bool {
	at, signature, ok := strings.Cut(cookie, ".")
	ends, err := strconv.ParseInt(at, 10, 64)
	return ok && err == nil && now.Before(time.Unix(ends, 0)) && SameSecret(signature, sign(token, at))
}

// SameSecret compares in a time that tells neither content nor length.
func SameSecret(a, b string) bool {
	x, y := sha256.Sum256([]byte(a)), sha256.Sum256([]byte(b))
	return subtle.ConstantTimeCompare(x[:], y[:]) == 1
}

// signedIn lets those with a session through, others to the form.
func (p *Page) signedIn(next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		c, err := r.Cookie(cookieName)
		if err == nil && valid(p.deps.Token(), c.Value, p.deps.Now()) {
			next(w, r)
			return
		}
		to := "/signin"
		if r.Method == http.MethodGet && r.URL.Path != "/" && r.URL.Path != "/events" {
			to += "?next=" + url.QueryEscape(r.URL.RequestURI())
		}
		http.Redirect(w, r, to, http.StatusSeeOther)
	}
}

// signInView is the form's.
type signInView struct{ Next, Error string }

func (p *Page) signInForm(w http.ResponseWriter, r *http.Request) {
	p.show(w, r, http.StatusOK, "signin", "Sign in", signInView{Next: local(r.FormValue("next"))})
}

func (p *Page) signIn(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	next := local(r.PostFormValue("next"))
	select {
	case p.tries <- struct{}{}:
		defer func() { <-p.tries }()
	default:
		p.show(w, r, http.StatusTooManyRequests, "signin", "Sign in", signInView{next, "Too many people sign in at once. Try again in a moment."})
		return
	}
	token := p.deps.Token()
	if token == "" || !SameSecret(strings.TrimSpace(r.PostFormValue("token")), token) {
		p.deps.Logger.Warn("sign-in failed", "client", clientIP(r))
		select {
		case <-time.After(failPause):
		case <-r.Context().Done():
			return
		}
		p.show(w, r, http.StatusForbidden, "signin", "Sign in", signInView{next, "The token is wrong."})
		return
	}
	cookie := session(token, p.deps.Now().Add(sessionLife))
	p.setCookie(w, r, cookie, sessionLife)
	p.deps.Logger.Info("signed in", "by", audit.Fingerprint("session", cookie), "token", audit.Fingerprint("token", token), "client", clientIP(r))
	http.Redirect(w, r, next, http.StatusSeeOther)
}

func (p *Page) signOut(w http.ResponseWriter, r *http.Request) {
	p.setCookie(w, r, "", -time.Second)
	http.Redirect(w, r, "/signin", http.StatusSeeOther)
}

// setCookie keeps scripts and other sites away from the session. Secure is
// left out only where a browser would drop the cookie for it.
func (p *Page) setCookie(w http.ResponseWriter, r *http.Request, value string, life time.Duration) {
	host, _, err := net.SplitHostPort(r.Host)
	if err != nil {
		host = r.Host
	}
	ip := net.ParseIP(host)
	secure := r.TLS != nil || r.Header.Get("X-Forwarded-Proto") == "https" || host == "localhost" || ip != nil && ip.IsLoopback()
	http.SetCookie(w, &http.Cookie{Name: cookieName, Value: value, Path: "/", MaxAge: int(life / time.Second), HttpOnly: true, Secure: secure, SameSite: http.SameSiteStrictMode})
}

// local is a path of ours to go on to; anything else is the overview.
func local(next string) string {
	u, err := url.Parse(next)
	if err != nil || u.IsAbs() || u.Host != "" || !strings.HasPrefix(u.Path, "/") || strings.HasPrefix(next, "//") || strings.Contains(next, `\`) || strings.HasPrefix(u.Path, "/signin") {
		return "/"
	}
	return u.RequestURI()
}

// who is the operator of a request: the session that it has.
func (p *Page) who(r *http.Request) audit.Who {
	w := audit.Who{Via: audit.Page, By: "nobody", Client: clientIP(r)}
	if c, err := r.Cookie(cookieName); err == nil {
		w.By = audit.Fingerprint("session", c.Value)
	}
	return w
}

func clientIP(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	return host
}
