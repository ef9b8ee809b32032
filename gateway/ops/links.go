package ops

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode"

	"postern/webhook"
	"postern/webhook/payload"
)

// contentPath is the path below which content is served:
// /content/<message id>/<part>/<expiry>/<signature>/<file name>.
const contentPath = "/content/"

// rawPart is the part that is the whole message; the others are numbers, from
// 0, of the message's attachments.
const rawPart = "raw"

// expiryStep is what the end of a url is rounded up to, so that a message that
// is rendered again within it has the same urls.
const expiryStep = time.Hour

// maxFilename is the characters of a file name in a url: it is only there to be read.
const maxFilename = 100

// Links makes urls for content that Content serves, and checks them. A url is
// good for one part of one message until it expires; nothing else about it can
// be changed.
type Links struct {
	base   string
	keys   webhook.SecretSource
	retain time.Duration
	now    func() time.Time
}

// NewLinks returns the urls below publicURL, good for retain. The secret signs
// them; of two, separated by white space, the first signs and both are
// accepted. now is nil for time.Now.
func NewLinks(publicURL string, secret webhook.SecretSource, retain time.Duration, now func() time.Time) (*Links, error) {
	u, err := url.Parse(publicURL)
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" || u.RawQuery != "" || u.Fragment != "" {
		return nil, errors.New("ops: POSTERN_PUBLIC_URL is not an http or https url without query, such as https://mail.example.com")
	}
	if secret == nil || len(strings.Fields(secret().Reveal())) == 0 {
		return nil, errors.New("ops: urls need a secret: set POSTERN_URL_SECRET or a store that makes one")
	}
	if now == nil {
		now = time.Now
	}
	return &Links{base: strings.TrimSuffix(u.String(), "/"), keys: secret, retain: retain, now: now}, nil
}

// Until is when urls made now expire; content must be kept until then.
func (l *Links) Until() time.Time {
	return l.now().Add(l.retain + expiryStep - 1).Truncate(expiryStep)
}

// Attachment implements payload.Links.
func (l *Links) Attachment(messageID string, i int, filename string) string {
	return l.url(messageID, strconv.Itoa(i), filename)
}

// Raw implements payload.Links.
func (l *Links) Raw(messageID string) string { return l.url(messageID, rawPart, messageID+".eml") }

func (l *Links) url(messageID, part, filename string) string {
	expiry := strconv.FormatInt(l.Until().Unix(), 10)
	sig := sign(strings.Fields(l.keys().Reveal())[0], messageID, part, expiry)
	return l.base + contentPath + url.PathEscape(messageID) + "/" + part + "/" + expiry + "/" + sig + "/" + url.PathEscape(tameName(filename))
}

// Kept is these links together with what makes content durable before a POST
// names it. keep is called with the time until which the content is needed.
func (l *Links) Kept(keep func(ctx context.Context, messageID string, until time.Time) error) payload.Links {
	return keptLinks{l, keep}
}

type keptLinks struct {
	*Links
	keep func(ctx context.Context, messageID string, until time.Time) error
}

// Keep implements payload.Links.
func (k keptLinks) Keep(ctx context.Context, messageID string) error {
	return k.keep(ctx, messageID, k.Until())
}

// valid reports whether we signed the url and it hasn't expired.
func (l *Links) valid(messageID, part, expiry, signature string) bool {
	end, err := strconv.ParseInt(expiry, 10, 64)
	if err != nil || strconv.FormatInt(end, 10) != expiry || !l.now().Before(time.Unix(end, 0)) {
		return false
	}
	ok := false
	for _, key := range strings.Fields(l.keys().Reveal()) {
		if hmac.Equal([]byte(sign(key, messageID, part, expiry)), []byte(signature)) {
			ok = true
		}
	}
	return ok
}

// sign is HMAC-SHA256 over the length-prefixed fields, base64url.
func sign(key, messageID, part, expiry string) string {
	h := hmac.New(sha256.New, []byte(key))
	for _, s := range []string{"postern content 1", messageID, part, expiry} {
		fmt.Fprintf(h, "%d:%s", len(s), s)
	}
	return base64.RawURLEncoding.EncodeToString(h.Sum(nil))
}

// tameName is a file name as the last element of a path.
func tameName(name string) string {
	name = strings.Map(func(r rune) rune {
		if r == '/' || r == '\\' || unicode.IsControl(r) {
			return '_'
		}
		return r
	}, name)
	if r := []rune(name); len(r) > maxFilename {
		name = string(r[len(r)-maxFilename:]) // the extension stays
	}
	if strings.Trim(name, ".") == "" {
		return "content"
	}
	return name
}

// Meta is where a store keeps small values.
type Meta interface {
	Meta(ctx context.Context, key string) ([]byte, error)
	PutMeta(ctx context.Context, key string, value []byte) ([]byte, error)
}

// metaURLKey names the signing key in the store.
const metaURLKey = "url_secret"

// StoredSecret is the signing key that the store keeps, made at its first use:
// one key for all who share the store, even where several make it at once.
func StoredSecret(ctx context.Context, m Meta) (webhook.Secret, error) {
	value, err := m.Meta(ctx, metaURLKey)
	if err == nil && len(value) == 0 {
		value, err = m.PutMeta(ctx, metaURLKey, []byte(rand.Text()+rand.Text()))
	}
	if err != nil {
		return "", fmt.Errorf("ops: the key that signs urls, in the store: %w", err)
	}
	return webhook.Secret(value), nil
}
