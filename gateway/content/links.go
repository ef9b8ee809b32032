package content

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode"
)

// Path is where content is served:
// /content/<message id>/<part>/<expiry>/<signature>/<file name>.
const Path = "/content/"

// rawPart is the part that is the whole message; the others are numbers, from
// 0, of the message's attachments.
const rawPart = "raw"

// expiryStep is what the end of a url is rounded up to, so that a message that
// is rendered again within it has the same urls.
const expiryStep = time.Hour

// maxFilename is the characters of a file name in a url: it is only there to be read.
const maxFilename = 100

// Links makes and checks urls. A url is good for one part of one message until
// it expires; nothing else about it can be changed.
type Links struct {
	base   string
	keys   func() [][]byte
	retain time.Duration
}

// NewLinks returns the urls below publicURL, good for retain. Of the keys the
// first signs and all are accepted; they are asked for at each use, since they
// may change.
func NewLinks(publicURL string, keys func() [][]byte, retain time.Duration) (*Links, error) {
	u, err := url.Parse(publicURL)
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" || u.RawQuery != "" || u.Fragment != "" {
		return nil, errors.New("content: POSTERN_PUBLIC_URL is not an http or https url without query, such as https://mail.example.com")
	}
	if keys == nil || len(keys()) == 0 {
		return nil, errors.New("content: urls need a secret: set POSTERN_URL_SECRET or a store that makes one")
	}
	return &Links{base: strings.TrimSuffix(u.String(), "/"), keys: keys, retain: retain}, nil
}

// At are the urls of a moment.
func (l *Links) At(now time.Time) URLs {
	return URLs{l.base, l.keys()[0], now.Add(l.retain + expiryStep - 1).Truncate(expiryStep)}
}

// URLs makes urls that end together: the same message and part, the same url.
type URLs struct {
	base  string
	key   []byte
	until time.Time
}

// Until is when the urls expire; content must be kept until then.
func (u URLs) Until() time.Time { return u.until }

// Attachment is the url of the message's i-th attachment.
func (u URLs) Attachment(messageID string, i int, filename string) string {
	return u.url(messageID, strconv.Itoa(i), filename)
}

// Raw is the url of the whole message.
func (u URLs) Raw(messageID string) string { return u.url(messageID, rawPart, messageID+".eml") }

func (u URLs) url(messageID, part, filename string) string {
	expiry := strconv.FormatInt(u.until.Unix(), 10)
	return u.base + Path + url.PathEscape(messageID) + "/" + part + "/" + expiry + "/" +
		sign(u.key, messageID, part, expiry) + "/" + url.PathEscape(tameName(filename))
}

// valid reports whether we signed the url and it hasn't expired.
func (l *Links) valid(now time.Time, messageID, part, expiry, signature string) bool {
	end, err := strconv.ParseInt(expiry, 10, 64)
	if err != nil || strconv.FormatInt(end, 10) != expiry || !now.Before(time.Unix(end, 0)) {
		return false
	}
	ok := false
	for _, key := range l.keys() {
		if hmac.Equal([]byte(sign(key, messageID, part, expiry)), []byte(signature)) {
			ok = true
		}
	}
	return ok
}

// sign is HMAC-SHA256 over the length-prefixed fields, base64url.
func sign(key []byte, messageID, part, expiry string) string {
	h := hmac.New(sha256.New, key)
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
