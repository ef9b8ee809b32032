package config

import (
	"fmt"
	"io"
	"reflect"
	"strings"
	"time"
)

// Write writes a variable a line, as the environment has them.
func Write(w io.Writer, c *Config) error {
	var out strings.Builder
	for _, s := range settings(c) {
		if c.Webhook.URL == "" && s.value.CanAddr() && within(s.value, &c.Webhook) {
			continue
		}
		if s.group != "" {
			fmt.Fprintf(&out, "# %s\n", s.group)
		}
		fmt.Fprintf(&out, "%s=%s\n", s.key, s.text())
	}
	_, err := io.WriteString(w, out.String())
	return err
}

// within reports whether a field belongs to the endpoint.
func within(field reflect.Value, w *Webhook) bool {
	v := reflect.ValueOf(w).Elem()
	for i := range v.NumField() {
		if v.Field(i).Addr().Pointer() == field.Addr().Pointer() && v.Field(i).Type() == field.Type() {
			return true
		}
	}
	return false
}

// text is the value as its variable would be written; secrets are hidden.
func (s setting) text() string {
	switch v := s.value.Interface().(type) {
	case time.Duration:
		return Duration(v)
	case Addr:
		if v == "" && s.field.Tag.Get("envDefault") != "" {
			return "off"
		}
	}
	return fmt.Sprint(s.value.Interface())
}

// duration writes 1h instead of 1h0m0s.
func Duration(d time.Duration) string {
	t := d.String()
	if strings.HasSuffix(t, "m0s") {
		t = t[:len(t)-2]
	}
	if strings.HasSuffix(t, "h0m") {
		t = t[:len(t)-2]
	}
	return t
}

// WriteTable writes the documents' table of all variables.
func WriteTable(w io.Writer) error {
	var out strings.Builder
	for _, s := range settings(new(Config)) {
		if s.group != "" {
			fmt.Fprintf(&out, "\n**%s**\n\n| variable | default | what it does |\n|---|---|---|\n", s.group)
		}
		fmt.Fprintf(&out, "| `%s` | %s | %s |\n", strings.ReplaceAll(s.key, "WEBHOOK_", "WEBHOOK_…"), s.tableDefault(), s.tableDoc())
	}
	_, err := io.WriteString(w, strings.TrimPrefix(out.String(), "\n"))
	return err
}

func (s setting) tableDefault() string {
	if d := s.field.Tag.Get("default"); d != "" {
		return d
	}
	if d := s.field.Tag.Get("envDefault"); d != "" {
		return "`" + d + "`"
	}
	return ""
}

func (s setting) tableDoc() string {
	doc := s.field.Tag.Get("doc")
	if words := s.field.Tag.Get("oneof"); words != "" {
		doc += " (`" + strings.Join(strings.Fields(words), "`, `") + "`)"
	}
	if s.secret() {
		doc += "; also as `…_FILE`"
	}
	return strings.ReplaceAll(doc, "|", "\\|")
}
