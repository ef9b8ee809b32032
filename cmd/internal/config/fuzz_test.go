package config

import (
	"bytes"
	"strings"
	"testing"
)

// Any environment gives a configuration or errors, and a secret is in neither.
func FuzzConfig(f *testing.F) {
	f.Add("POSTERN_WEBHOOK_0_HEADERS", "X: y\nZ")
	f.Add("POSTERN_RETRY_STORE", "postgres://u:p@h/d?x=y")
	f.Add("POSTERN_DSN_RELAY", "smtp://u:p@[::1]:25")
	f.Add("POSTERN_PROXY_FROM", "10.0.0.0/8, ::1")
	f.Add("POSTERN_SMTP_MAX_SIZE", "9223372036854775807KiB")
	f.Add("POSTERN_WEBHOOK_00_URL", "http://a")
	f.Fuzz(func(t *testing.T, key, value string) {
		if strings.HasSuffix(key, "_FILE") {
			t.Skip("names a file of this machine")
		}
		const secret = "c0rrecth0rse"
		c, err := Load([]string{anEndpoint, "POSTERN_WEBHOOK_PASSWORD=" + secret, "POSTERN_WEBHOOK_USERNAME=u", key + "=" + value})
		var out bytes.Buffer
		if err != nil {
			out.WriteString(err.Error())
		} else if err := Write(&out, c); err != nil {
			t.Fatal(err)
		}
		if strings.Contains(out.String(), secret) {
			t.Errorf("%s=%q shows the password:\n%s", key, value, &out)
		}
	})
}
