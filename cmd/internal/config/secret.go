package config

import (
	"fmt"
	"strings"

	"postern/gateway/reload"
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

// Source is the secret as those who need it read it, nil where there is none.
// A file is read again when it changes; one that can't be read, or is empty, in
// the middle of a rotation leaves the last good value.
func (s Secret) Source(deps reload.Deps) webhook.SecretSource {
	switch {
	case s.File != "":
		return reload.From(deps, s.Value, func() (webhook.Secret, error) {
			text, err := ReadSecret(s.File)
			return webhook.Secret(text), err
		}, s.File).Get
	case s.Value == "":
		return nil
	}
	return func() webhook.Secret { return s.Value }
}

// secretMax bounds a secret's file: none is larger, and /dev/zero must not be
// read whole.
const secretMax = 64 << 10

// ReadSecret reads a secret's file without its trailing line end.
func ReadSecret(path string) (string, error) {
	text, err := reload.Bytes(path, secretMax)
	if err != nil {
		return "", err
	}
	value := strings.TrimRight(string(text), "\r\n")
	if value == "" {
		return "", fmt.Errorf("%s is empty", path)
	}
	return value, nil
}
