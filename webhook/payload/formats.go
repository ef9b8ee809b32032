package payload

import "fmt"

// Formats lists every format, the native one first.
func Formats() []Format {
	return []Format{
		Native{}, Raw{}, Postmark{}, SendGrid{}, SendGridRaw{}, Mailgun{}, MailgunMIME{},
		Mandrill{}, CloudMailin{}, SESSNS{}, CloudEvents{},
	}
}

// ByName finds a format by its word of FORMAT=; "" is the native one.
func ByName(name string) (Format, error) {
	if name == "" {
		return Native{}, nil
	}
	known := ""
	for _, f := range Formats() {
		if f.Name() == name {
			return f, nil
		}
		known += " " + f.Name()
	}
	return nil, fmt.Errorf("unknown format %q: use one of%s", name, known)
}

// Stopper is a Format of a service that has statuses of its own by which a
// receiver says "never again".
type Stopper interface {
	// Stops reports whether the status rejects the mail for good.
	Stops(status int) bool
}

// Keyed is a Format that uses the endpoint's secret for the signature of its
// service, in place of the Standard Webhooks one.
type Keyed interface {
	// NeedsKey reports whether the format can't be sent without a secret.
	NeedsKey() bool
}
