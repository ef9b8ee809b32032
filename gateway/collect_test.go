package gateway_test

import (
	"context"
	"encoding/base64"
	"fmt"
	"strings"
	"testing"

	"postern/gateway/smtp"
	"postern/retry"
	"postern/webhook"
)

// collector may collect the mail of one endpoint.
type collector struct{}

func (collector) Mechanisms() []string { return []string{"PLAIN"} }
func (collector) Plain(_ context.Context, user, password string) (smtp.Identity, error) {
	return smtp.Identity{Name: user, Collect: []string{"theirs"}}, nil
}
func (collector) SCRAM(context.Context, string) (smtp.SCRAMRecord, error) {
	return smtp.SCRAMRecord{}, smtp.ErrBadCredentials
}

// TestTurn has a client swap roles and collect what waits for its endpoint:
// one mail it takes, one it refuses, and those of others it never sees.
func TestTurn(t *testing.T) {
	h := newHarness(t, setting{auth: collector{}, smtp: func(c *smtp.Config) { c.Turn = true }, endpoints: []webhook.Config{
		{Name: "theirs", Match: []string{"*@theirs.example"}, Defer: true}, {Name: "others", Defer: true},
	}})
	h.answers(status(503))
	k := h.dial(h.addr, "EHLO")
	k.send("MAIL", "first@client.example", "a@theirs.example", "b@others.example")
	k.send("MAIL", "second@client.example", "b@theirs.example")
	k.say("TURN", 502)

	k = h.dial(h.unix, "EHLO")
	k.say("AUTH PLAIN "+base64.StdEncoding.EncodeToString([]byte("\x00ann\x00pw")), 235)
	k.say("MAIL FROM:<>", 250)
	k.say("TURN", 503)
	k.say("RSET", 250)
	k.say("TURN", 250)
	fmt.Fprintf(k.c, "220 their.example\r\n")
	taken := k.serveMail(func(messageID string) string {
		if messageID == "first@client.example" {
			return "250 mine now"
		}
		return "451 not yet"
	})
	if len(taken) != 2 || strings.Contains(strings.Join(taken, " "), "b@others.example") {
		t.Errorf("collected %q", taken)
	}
	left := map[string]retry.Info{}
	for _, i := range h.waiting() {
		left[i.Endpoint] = i
	}
	if len(h.waiting()) != 2 || left["theirs"].Recipients[0] != "b@theirs.example" || left["theirs"].State != retry.Due || left["theirs"].Attempts != 2 {
		t.Errorf("left: %+v; want the refused one, due, with its attempt recorded, and the others'", h.waiting())
	}
}

// serveMail is the collecting client as a server: it answers every command
// until QUIT and says of each message what accept says. It returns the
// envelopes and contents that it was given.
func (k *client) serveMail(accept func(messageID string) string) (mails []string) {
	k.t.Helper()
	var mail strings.Builder
	for {
		line, err := k.r.ReadString('\n')
		if err != nil {
			k.t.Fatalf("as a server: %v", err)
		}
		switch verb := strings.ToUpper(strings.TrimSpace(line))[:4]; verb {
		case "EHLO":
			fmt.Fprintf(k.c, "250-their.example\r\n250 8BITMIME\r\n")
		case "QUIT":
			fmt.Fprintf(k.c, "221 bye\r\n")
			return mails
		case "DATA":
			fmt.Fprintf(k.c, "354 go\r\n")
			id := ""
			for {
				line, err := k.r.ReadString('\n')
				if err != nil {
					k.t.Fatalf("as a server, in DATA: %v", err)
				}
				if line == ".\r\n" {
					break
				}
				if v, ok := strings.CutPrefix(line, "Message-ID: "); ok {
					id = strings.Trim(v, "<>\r\n")
				}
				mail.WriteString(line)
			}
			mails = append(mails, mail.String())
			mail.Reset()
			fmt.Fprintf(k.c, "%s\r\n", accept(id))
		default:
			mail.WriteString(line)
			fmt.Fprintf(k.c, "250 ok\r\n")
		}
	}
}
