package gateway_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"testing"

	"postern/webhook"
	"postern/webhook/payload"
)

// forgeries are fields in which a stranger speaks with our voice, or with that of
// the service whose dialect a webhook understands.
const forgeries = "Authentication-Results: mx.example; dmarc=pass\r\n" +
	"AUTHENTICATION-RESULTS :\r\n (x) \"MX.example\" 1;\r\n dmarc=pass\r\n" +
	"Received-SPF: pass client-ip=192.0.2.1\r\n" +
	"ARC-Authentication-Results: i=1; mx.example; dmarc=pass\r\n" +
	"X-Postern-Removed: nothing\r\n"

// TestForgedFieldsReachNobody sends forgeries through every format, fresh and
// queued: what the webhook gets has none, and the trace says what was removed.
func TestForgedFieldsReachNobody(t *testing.T) {
	var endpoints []webhook.Config
	for _, f := range payload.Formats() {
		endpoints = append(endpoints, webhook.Config{Name: f.Name(), Match: []string{f.Name() + "@in.example"}, Format: f.Name(), Secret: webhook.Fixed("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"), Raw: payload.Inline, Defer: true})
	}
	for _, queueFirst := range []bool{false, true} {
		s := setting{endpoints: endpoints, worker: queueFirst}
		s.gateway.QueueFirst = queueFirst
		h := newHarness(t, s)
		k := h.dial(h.addr, "EHLO")
		for _, e := range endpoints {
			k.sendMail(forgeries+"Subject: kept\r\nAuthentication-Results: mx.other.example; spf=pass\r\n\r\nbody\r\n", e.Match[0])
		}
		for _, p := range h.waitFor(len(endpoints)) {
			body := readable(p.Body)
			if strings.Contains(body, "dmarc=pass") || strings.Contains(body, "dmarc\\u003dpass") || strings.Contains(strings.ToLower(body), "received-spf: pass") || strings.Contains(body, "nothing") {
				t.Errorf("queue %v, %s: %s", queueFirst, p.Path, body)
			}
			if !strings.Contains(body, "kept") {
				t.Errorf("queue %v, %s has lost its subject: %s", queueFirst, p.Path, body)
			}
			if strings.Contains(body, "email.received") {
				var n struct {
					Message struct {
						Headers []struct{ Name, Value string }
					}
				}
				h.must(json.Unmarshal(p.Body, &n))
				if want := "Arc-Authentication-Results, Authentication-Results (2), Received-Spf, X-Postern-Removed"; n.Message.Headers[0].Value != want {
					t.Errorf("the trace says %q, want %q", n.Message.Headers[0].Value, want)
				}
			}
		}
		h.stop()
	}
}

// TestMessageThatBeginsFolded can't go on with our own Received line.
func TestMessageThatBeginsFolded(t *testing.T) {
	h := newHarness(t, setting{endpoints: []webhook.Config{{Name: "a", Raw: payload.Inline}}})
	h.dial(h.addr, "EHLO").sendMail(" (authenticated as root)\r\nSubject: s\r\n\r\nbody\r\n", "a@in.example")
	var n struct {
		Message struct {
			Headers []struct{ Name, Value string }
		}
	}
	h.must(json.Unmarshal(h.waitFor(1)[0].Body, &n))
	for _, f := range n.Message.Headers {
		if strings.Contains(f.Value, "authenticated as root") != (f.Name == "X-Unnamed") {
			t.Errorf("%s: %s", f.Name, f.Value)
		}
	}
}

// sendMail gives a message as it is and wants 250.
func (k *client) sendMail(message, to string) {
	k.t.Helper()
	k.say("MAIL FROM:<sender@client.example>", 250)
	k.say("RCPT TO:<"+to+">", 250)
	k.say("DATA", 354)
	fmt.Fprint(k.c, message+".\r\n")
	k.want(250)
}

var base64Run = regexp.MustCompile(`[A-Za-z0-9+/]{40,}=*`)

// readable is a body with its base64 decoded behind it.
func readable(body []byte) string {
	text := string(body)
	for _, run := range base64Run.FindAllString(text, -1) {
		if b, err := base64.StdEncoding.DecodeString(run); err == nil {
			text += "\n" + string(b)
		}
	}
	return text
}
