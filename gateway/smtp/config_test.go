package smtp

import (
	"strings"
	"testing"
)

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
