package payload

import (
	"bytes"
	"encoding/base64"
	"regexp"
	"strings"
	"testing"
)

// claimed are fields by which one service or another speaks to its receivers.
var claimed = []string{
	"X-Original-To: victim@in.example", "x-original-to : victim@in.example", "X_Original_To: victim@in.example", "X-Original-To:\n victim@in.example", "X-Forwarded-To: victim@in.example",
	"X-Mailgun-Sflag: No", "X-Mailgun-Sscore: -9.9", "X-Mailgun-Spf: Pass", "X-Mailgun-Dkim-Check-Result: Pass", "X-Envelope-From: <v@in.example>",
	"X-Spam-Status: No", "X-SPAM-Score: -9.9", "X-Spam-Tests: NONE", "Return-Path: <victim@in.example>",
	"X-SES-Spam-Verdict: PASS", "X-SES-Virus-Verdict: PASS", "Authentication-Results: amazonses.com; dmarc=pass",
	"Authentication-Results: mxa.mailgun.org; dmarc=pass", "X-Mandrill-Spf: pass", "X-PM-Spf: pass", "X-CloudMailin-Spf: pass", "Authentication-Results: \"MX.SendGrid.net\" 1; dmarc=pass",
}

// TestClaims: what a dialect's receiver takes for its service's own word never
// comes from the mail; the native format has the mail's header as it is.
func TestClaims(t *testing.T) {
	service := []string{"victim@in.example", "X-Spam-", "x-spam-", "X-SPAM-", "x_spam_", "Original-To: v", "original_to", "Forwarded-To"}
	own := map[string][]string{
		"raw": {"Original-To: v", "original-to : v", "Original_To", "Forwarded-To"}, "cloudevents": nil, "postern": nil,
		"postmark": append(service, "X-PM-"), "sendgrid": append(service, "SendGrid.net"), "sendgrid-raw": append(service, "SendGrid.net"),
		"mailgun": append(service, "X-Mailgun-", "mailgun.org"), "mailgun-mime": append(service, "X-Mailgun-", "mailgun.org"),
		"mandrill": append(service, "X-Mandrill-Spf"), "cloudmailin": append(service, "x_cloudmailin"), "ses-sns": append(service, "amazonses.com", "X-SES"),
	}
	d := eml(t, "From: a@out.example\n"+strings.Join(claimed, "\n")+"\nSubject: kept\nX-Session: stays\n\nbody\n")
	d.Envelope.Verdict = nil
	for _, f := range Formats() {
		_, got := written(t, f, d, options)
		text := unwrapped(got)
		for _, word := range own[f.Name()] {
			if lines := regexp.MustCompile(`.{0,30}`+regexp.QuoteMeta(word)+`.{0,30}`).FindAllString(text, 3); lines != nil {
				t.Errorf("%s has %q: %q", f.Name(), word, lines)
			}
		}
		if !strings.Contains(text, "kept") || !strings.Contains(strings.ReplaceAll(strings.ToLower(text), "_", "-"), "x-session") {
			t.Errorf("%s has lost more than that: %s", f.Name(), text)
		}
		if f.Name() == "postern" && strings.Count(text, "victim") != 6 {
			t.Errorf("the native format lacks fields of the mail: %s", text)
		}
	}
}

// TestNotChecked: where nobody looked at the sender, nothing sounds as if.
func TestNotChecked(t *testing.T) {
	d := eml(t, mails["plain"])
	d.Envelope.Verdict = nil
	for _, f := range Formats() {
		_, got := written(t, f, d, options)
		text := strings.ToLower(unwrapped(got))
		for _, word := range []string{`"spf"`, `name="dkim"`, `"dkim"`, "spfverdict", "dkimverdict", "dmarcverdict", "received-spf", "gray"} {
			if strings.Contains(text, word) {
				t.Errorf("%s has %s: %s", f.Name(), word, text)
			}
		}
	}
}

var base64Run = regexp.MustCompile(`[A-Za-z0-9+/]{40,}=*`)

// unwrapped is a body with its base64 decoded behind it and its JSON escapes
// undone where they matter.
func unwrapped(body []byte) string {
	for _, run := range base64Run.FindAll(body, -1) {
		if b, err := base64.StdEncoding.DecodeString(string(run)); err == nil {
			body = append(bytes.Clone(body), b...)
		}
	}
	return string(body)
}
