package webhook

import "log/slog"

// Secret is a value that never shows: it prints, logs and marshals as [hidden].
type Secret string

const hidden = "[hidden]"

// String implements fmt.Stringer.
func (s Secret) String() string {
	if s == "" {
		return ""
	}
	return hidden
}

// GoString implements fmt.GoStringer.
func (s Secret) GoString() string { return s.String() }

// LogValue implements slog.LogValuer.
func (s Secret) LogValue() slog.Value { return slog.StringValue(s.String()) }

// MarshalText implements encoding.TextMarshaler, and so covers JSON.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// Reveal returns the value itself, for the one place that uses it.
func (s Secret) Reveal() string { return string(s) }

// SecretSource gives the secret that is valid now; nil is no secret.
type SecretSource func() Secret

// Fixed is a SecretSource that never changes; "" is no secret.
func Fixed(value string) SecretSource {
	if value == "" {
		return nil
	}
	return func() Secret { return Secret(value) }
}

// now is the current value; a nil source has none.
func (s SecretSource) now() string {
	if s == nil {
		return ""
	}
	return s().Reveal()
}
