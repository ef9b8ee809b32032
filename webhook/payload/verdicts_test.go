package payload

import (
	"strings"
	"testing"

	"postern/gateway/mail"
)

// TestVerdicts: each dialect that has fields for it says what was found, in the
// words of its service.
func TestVerdicts(t *testing.T) {
	verdict := &mail.Authentication{
		SPF:   mail.SPFResult{Result: "softfail", Domain: "out.example"},
		DKIM:  []mail.DKIMResult{{Result: "fail", Domain: "list.example"}, {Result: "pass", Domain: "out.example"}},
		DMARC: mail.DMARCResult{Result: "pass", Domain: "out.example"},
	}
	spam := &mail.Spam{Score: 7.5, Action: "add header", Symbols: []mail.SpamSymbol{{Name: "BAD", Score: 7}, {Name: "WORSE", Score: 0.5}}}
	for format, want := range map[string][]string{
		"sendgrid":     {"name=\"SPF\"\r\n\r\nsoftfail", "{@list.example : fail, @out.example : pass}", "name=\"spam_score\"\r\n\r\n7.5", "BAD\nWORSE"},
		"sendgrid-raw": {"name=\"SPF\"\r\n\r\nsoftfail", "{@list.example : fail, @out.example : pass}", "name=\"spam_score\"\r\n\r\n7.5"},
		"mailgun":      {`["X-Mailgun-Spf","SoftFail"]`, `["X-Mailgun-Dkim-Check-Result","Pass"]`, `["X-Mailgun-Sflag","Yes"]`, `["X-Mailgun-Sscore","7.5"]`},
		"mailgun-mime": {"X-Mailgun-Spf: SoftFail\r\n", "X-Mailgun-Dkim-Check-Result: Pass\r\n", "X-Mailgun-Sflag: Yes\r\n"},
		"mandrill":     {`"spf":{"result":"softfail","detail":""}`, `"dkim":{"signed":true,"valid":true}`, `"spam_report":{"score":7.5,"matched_rules":[{"name":"BAD","score":7`},
		"cloudmailin":  {`"spf":{"result":"softfail","domain":"out.example"}`},
		"ses-sns":      {`\"spfVerdict\":{\"status\":\"GRAY\"}`, `\"dkimVerdict\":{\"status\":\"PASS\"}`, `\"dmarcVerdict\":{\"status\":\"PASS\"}`, `\"spamVerdict\":{\"status\":\"FAIL\"}`},
		"postmark":     {`{"Name":"Received-SPF","Value":"Softfail client-ip=192.0.2.9;`, `{"Name":"X-Spam-Status","Value":"Yes"}`, `{"Name":"X-Spam-Score","Value":"7.5"}`},
		"postern":      {`"spf":{"result":"softfail","domain":"out.example"}`, `"spam":{"score":7.5,"action":"add header","symbols":["BAD","WORSE"]}`},
	} {
		f, err := ByName(format)
		if err != nil {
			t.Fatal(err)
		}
		d := eml(t, mails["plain"])
		d.Envelope.Verdict, d.Envelope.Spam = verdict, spam
		_, got := written(t, f, d, options)
		for _, w := range want {
			if !strings.Contains(string(got), w) {
				t.Errorf("%s lacks %q: %s", format, w, got)
			}
		}
	}
}
