package config

import (
	"fmt"
	"os"
	"strings"
	"sync"
	"time"

	"postern/webhook"
)

// Secret is a secret setting, from its variable or from the file that its
// …_FILE variable names. It prints as [hidden].
type Secret struct {
	Value webhook.Secret // as read at start
	File  string         // "" where the variable itself held it
}

// UnmarshalText implements encoding.TextUnmarshaler.
func (s *Secret) UnmarshalText(text []byte) error {
	s.Value = webhook.Secret(text)
	return nil
}

func (s Secret) String() string { return s.Value.String() }

// Source is the secret as the webhooks read it, nil where there is none.
func (s Secret) Source() webhook.SecretSource {
	if s.Value == "" {
		return nil
	}
	return s.Live()
}

// secretCheckEvery is how often a secret's file is looked at: a rotated secret
// holds after a second, and a busy gateway doesn't stat it for every request.
const secretCheckEvery = time.Second

// Live returns a function that tells the secret's present value: a file is
// read again when it has changed. A file that can't be read, or is empty, in
// the middle of a rotation leaves the last good value.
func (s Secret) Live() func() webhook.Secret {
	if s.File == "" {
		return func() webhook.Secret { return s.Value }
	}
	l := &liveSecret{file: s.File, value: s.Value}
	return l.get
}

type liveSecret struct {
	file string

	mu      sync.Mutex
	value   webhook.Secret
	checked time.Time
}

func (l *liveSecret) get() webhook.Secret {
	l.mu.Lock()
	defer l.mu.Unlock()
	if now := time.Now(); now.Sub(l.checked) >= secretCheckEvery {
		l.checked = now
		if text, err := ReadSecret(l.file); err == nil {
			l.value = webhook.Secret(text)
		}
	}
	return l.value
}

// secretMaxBytes bounds a secret's file: none is larger, and /dev/zero must not
// be read whole.
const secretMaxBytes = 64 << 10

// ReadSecret reads a secret's file without its trailing line end.
func ReadSecret(path string) (string, error) {
	if info, err := os.Stat(path); err != nil {
		return "", err
	} else if !info.Mode().IsRegular() || info.Size() > secretMaxBytes {
		return "", fmt.Errorf("%s is not a file of at most %d octets", path, secretMaxBytes)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return "", err
	}
	value := strings.TrimRight(string(text), "\r\n")
	if value == "" {
		return "", fmt.Errorf("%s is empty", path)
	}
	return value, nil
}
