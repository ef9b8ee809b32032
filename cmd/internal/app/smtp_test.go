package app

import (
	"reflect"
	"testing"

	"postern/cmd/internal/config"
	"postern/gateway/smtp"
)

// The table's defaults of the SMTP limits are the engine's own.
func TestConfigSMTPDefaults(t *testing.T) {
	c, err := config.Load([]string{"POSTERN_WEBHOOK_URL=http://127.0.0.1:3000/mail", "POSTERN_RETRY_STORE=off", "POSTERN_DOMAIN=mx.example.com"})
	if err != nil {
		t.Fatal(err)
	}
	got, want := smtpConfig(c), smtp.DefaultConfig("mx.example.com")
	if !reflect.DeepEqual(got, want) {
		t.Errorf("without settings the engine gets\n%+v, its defaults are\n%+v", got, want)
	}
}
