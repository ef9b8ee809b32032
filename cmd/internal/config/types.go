package config

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"regexp"
	"strconv"
	"strings"

	"postern/gateway/text"
	"postern/retry/s3"
	"postern/webhook"
)

// Size is a number of octets, written 512, 64KiB, 50MiB or 4GiB.
type Size int64

var sizeUnits = []struct {
	suffix string
	octets int64
}{
	{"TiB", 1 << 40}, {"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10},
	{"TB", 1e12}, {"GB", 1e9}, {"MB", 1e6}, {"KB", 1e3}, {"B", 1},
}

// UnmarshalText implements encoding.TextUnmarshaler.
func (s *Size) UnmarshalText(text []byte) error {
	number, unit := strings.TrimSpace(string(text)), int64(1)
	for _, u := range sizeUnits {
		if head, ok := cutSuffixFold(number, u.suffix); ok {
			number, unit = strings.TrimSpace(head), u.octets
			break
		}
	}
	n, err := strconv.ParseInt(number, 10, 64)
	if err != nil || n < 0 || n > (1<<63-1)/unit {
		return errors.New("not a size")
	}
	*s = Size(n * unit)
	return nil
}

func cutSuffixFold(s, suffix string) (string, bool) {
	at := len(s) - len(suffix)
	if at < 0 || !strings.EqualFold(s[at:], suffix) {
		return s, false
	}
	return s[:at], true
}

// String writes the size in the largest binary unit that divides it.
func (s Size) String() string {
	for _, u := range sizeUnits[:4] {
		if s != 0 && int64(s)%u.octets == 0 {
			return strconv.FormatInt(int64(s)/u.octets, 10) + u.suffix
		}
	}
	return strconv.FormatInt(int64(s), 10)
}

// Rough writes the size for people, to a tenth of its unit.
func (s Size) Rough() string {
	for _, u := range sizeUnits[:4] {
		if int64(s) >= u.octets {
			return strings.TrimSuffix(strconv.FormatFloat(float64(s)/float64(u.octets), 'f', 1, 64), ".0") + " " + u.suffix
		}
	}
	return strconv.FormatInt(int64(s), 10) + " octets"
}

// List is words separated by commas or white space.
type List []string

// UnmarshalText implements encoding.TextUnmarshaler.
func (l *List) UnmarshalText(text []byte) error {
	*l = strings.FieldsFunc(string(text), func(r rune) bool { return r == ',' || r == ' ' || r == '\n' || r == '\t' || r == '\r' })
	return nil
}

func (l List) String() string { return strings.Join(l, ",") }

// Networks is IP networks; an address alone is a network of one.
type Networks []netip.Prefix

// UnmarshalText implements encoding.TextUnmarshaler.
func (n *Networks) UnmarshalText(text []byte) error {
	var words List
	if err := words.UnmarshalText(text); err != nil {
		return err
	}
	for _, w := range words {
		p, err := netip.ParsePrefix(w)
		if a, aerr := netip.ParseAddr(w); aerr == nil {
			p, err = netip.PrefixFrom(a, a.BitLen()), nil
		}
		if err != nil {
			return fmt.Errorf("%q is not a network", w)
		}
		*n = append(*n, p.Masked())
	}
	return nil
}

func (n Networks) String() string {
	words := make([]string, len(n))
	for i, p := range n {
		words[i] = p.String()
	}
	return strings.Join(words, ",")
}

// FileMode is a file's permissions, written in octal: 0666.
type FileMode os.FileMode

// UnmarshalText implements encoding.TextUnmarshaler.
func (m *FileMode) UnmarshalText(text []byte) error {
	n, err := strconv.ParseUint(string(text), 8, 32)
	if err != nil || n > 0o777 {
		return errors.New("not permissions")
	}
	*m = FileMode(n)
	return nil
}

func (m FileMode) String() string { return fmt.Sprintf("%04o", uint32(m)) }

// Addr is a listener's address: host:port, or unix:/path. "" is no listener;
// in the environment that is written "off", since an empty variable counts as
// one that isn't set.
type Addr string

// UnmarshalText implements encoding.TextUnmarshaler.
func (a *Addr) UnmarshalText(text []byte) error {
	s := string(text)
	switch {
	case s == "off":
		s = ""
	case strings.HasPrefix(s, "unix:/"):
	default:
		_, port, err := net.SplitHostPort(s)
		if err != nil {
			return errors.New("not host:port")
		}
		if n, err := strconv.Atoi(port); err != nil || n < 0 || n > 65535 {
			return fmt.Errorf("%q is not a port", port)
		}
	}
	*a = Addr(s)
	return nil
}

// URL is an http or https address. It prints without its password and its
// query's values.
type URL string

// UnmarshalText implements encoding.TextUnmarshaler.
func (u *URL) UnmarshalText(text []byte) error {
	p, err := url.Parse(string(text))
	if err != nil || (p.Scheme != "http" && p.Scheme != "https") || p.Hostname() == "" {
		return errors.New("not an http or https URL")
	}
	if n, err := strconv.Atoi(p.Port()); p.Port() != "" && (err != nil || n < 1 || n > 65535) {
		return errors.New("not a port")
	}
	*u = URL(text)
	return nil
}

func (u URL) String() string { return text.RedactURL(string(u)) }

// Store is where the retry queue lives: sqlite:// and a folder, a postgres
// URL, or off. It prints without its password.
type Store string

// StoreOff is RETRY_STORE's word for no queue.
const StoreOff Store = "off"

// UnmarshalText implements encoding.TextUnmarshaler.
func (s *Store) UnmarshalText(text []byte) error {
	*s = Store(text)
	if *s == StoreOff || s.Folder() != "" || s.Postgres() {
		return nil
	}
	return errors.New("not a store")
}

// Folder is the sqlite store's folder, "" for other stores.
func (s Store) Folder() string {
	folder, ok := strings.CutPrefix(string(s), "sqlite://")
	if !ok {
		return ""
	}
	return folder
}

// Postgres reports whether the store is a PostgreSQL database.
func (s Store) Postgres() bool {
	return strings.HasPrefix(string(s), "postgres://") || strings.HasPrefix(string(s), "postgresql://")
}

func (s Store) String() string {
	if s.Postgres() {
		return text.RedactURL(string(s))
	}
	return string(s)
}

// BodyStore is where large bodies of queued mail lie, s3://bucket/prefix; "" is
// the store itself.
type BodyStore string

// UnmarshalText implements encoding.TextUnmarshaler.
func (b *BodyStore) UnmarshalText(text []byte) error {
	*b = BodyStore(text)
	if *b == "" {
		return nil
	}
	_, err := s3.ParseAddress(string(text))
	return err
}

// Relay is an SMTP server that takes our own reports, smtp:// or smtps://. It
// prints without its password.
type Relay string

// UnmarshalText implements encoding.TextUnmarshaler.
func (r *Relay) UnmarshalText(text []byte) error {
	s := string(text)
	if !strings.Contains(s, "://") {
		s = "smtp://" + s
	}
	p, err := url.Parse(s)
	if err != nil || (p.Scheme != "smtp" && p.Scheme != "smtps") || p.Hostname() == "" {
		return errors.New("not an smtp URL")
	}
	*r = Relay(s)
	return nil
}

func (r Relay) String() string { return text.RedactURL(string(r)) }

// Headers are request headers; their values never print.
type Headers http.Header

// UnmarshalText implements encoding.TextUnmarshaler.
func (h *Headers) UnmarshalText(text []byte) error {
	out := http.Header{}
	for line := range strings.Lines(string(text)) {
		if line = strings.TrimSpace(line); line == "" {
			continue
		}
		name, value, ok := strings.Cut(line, ":")
		if name = strings.TrimSpace(name); !ok || !headerName.MatchString(name) {
			return errors.New("a line is not Name: value")
		}
		out.Add(name, strings.TrimSpace(value))
	}
	*h = Headers(out)
	return nil
}

var headerName = regexp.MustCompile("^[-!#$%&'*+.^_`|~0-9A-Za-z]+$")

func (h Headers) String() string {
	if len(h) == 0 {
		return ""
	}
	return webhook.Secret("x").String()
}

// Statuses are HTTP statuses that reject mail: 404, 422 or the word 4xx.
type Statuses []string

// UnmarshalText implements encoding.TextUnmarshaler.
func (s *Statuses) UnmarshalText(text []byte) error {
	var words List
	if err := words.UnmarshalText(text); err != nil {
		return err
	}
	*s = Statuses(words)
	_, err := webhook.ParseStatuses(words)
	return err
}

func (s Statuses) String() string { return strings.Join(s, ",") }
