package smtp

import (
	"strings"
	"testing"
	"unicode/utf8"

	"postern/gateway/smtp/reply"
)

func TestAddressString(t *testing.T) {
	for _, c := range []struct {
		a    Address
		want string
	}{
		{Address{}, ""},
		{Address{Local: "postmaster"}, "postmaster"},
		{Address{Local: "a.b", Domain: "c.example"}, "a.b@c.example"},
		{Address{Local: "a b", Domain: "c.example"}, `"a b"@c.example`},
		{Address{Local: `a"\`, Domain: "c.example"}, `"a\"\\"@c.example`},
		{Address{Local: "", Domain: "c.example"}, `""@c.example`},
		{Address{Local: "ü", Domain: "[IPv6:::1]"}, "ü@[IPv6:::1]"},
	} {
		if got := c.a.String(); got != c.want {
			t.Errorf("%+v is %q, want %q", c.a, got, c.want)
		}
	}
}

// TestReplyLines: no reply line is longer than 512 octets or holds what a
// client could take for another line, whoever wrote the text.
func TestReplyLines(t *testing.T) {
	long := strings.Repeat("wörd ", 400)
	out := string(appendReply(nil, reply.Reply{Code: 550, Enhanced: reply.Enhanced{4, 1, 1}, Lines: []string{"a\r\nb\x00c", long, strings.Repeat("é", 700)}}, styleUTF8))
	lines := strings.Split(strings.TrimSuffix(out, "\r\n"), "\r\n")
	for i, line := range lines {
		sep := "-"
		if i == len(lines)-1 {
			sep = " "
		}
		if !strings.HasPrefix(line, "550"+sep+"5.1.1 ") || len(line) > maxReplyLine-2 || !utf8.ValidString(line) {
			t.Errorf("line %d: %q", i, line)
		}
	}
	if lines[0] != "550-5.1.1 a  b c" {
		t.Errorf("%q", lines[0])
	}
	if got := string(appendReply(nil, reply.Reply{Code: 554, Lines: []string{"é"}}, styleEnhanced)); got != "554 5.0.0 ??\r\n" {
		t.Errorf("%q", got)
	}
	if got := string(appendReply(nil, reply.Reply{Code: 550, Enhanced: reply.Enhanced{4, 7, 708}, Lines: []string{"x"}}, styleEnhanced)); got != "550 5.7.708 x\r\n" {
		t.Errorf("%q", got)
	}
}

func TestConfigNamesWhatIsWrong(t *testing.T) {
	for name, spoil := range map[string]func(*Config){
		"Domain":         func(c *Config) { c.Domain = "not a host" },
		"MaxRecipients":  func(c *Config) { c.MaxRecipients = 99 },
		"MaxCommandLine": func(c *Config) { c.MaxCommandLine = 512 },
		"CommandTimeout": func(c *Config) { c.CommandTimeout = 0 },
		"MaxSize":        func(c *Config) { c.MaxSize = -1 },
		"HardErrors":     func(c *Config) { c.HardErrors = -1 },
		"TLS":            func(c *Config) { c.TLS = TLSOffer },
		"AuthRequired":   func(c *Config) { c.AuthRequired = true },
	} {
		cfg := DefaultConfig("mx.here.example")
		spoil(&cfg)
		if _, err := NewServer(cfg, nil); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := NewServer(DefaultConfig("mx.here.example"), nil); err != nil {
		t.Error(err)
	}
}
