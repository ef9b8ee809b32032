package webhook

import (
	"net/http"
	"strings"
	"testing"

	"postern/gateway/smtp/reply"
)

// Whatever a webhook says, the reply is one that can be given.
func FuzzSaid(f *testing.F) {
	f.Add(200, "550 5.1.1 No such project", "application/json", `{"smtp":{"code":451,"enhanced":"4.7.1","message":"x","recipients":{"a@b":"250 ok"}}}`)
	f.Add(406, "", "text/plain; charset=utf-8", "no\r\n250 yes")
	f.Add(500, "421", "", `{"recipients":{"a":{"code":-1}}}`)
	f.Fuzz(func(t *testing.T, status int, header, contentType, body string) {
		o := Classify(Answer{
			Status: status, Header: http.Header{"Smtp-Reply": {header}, "Content-Type": {contentType}}, Body: []byte(body),
		}, Statuses{})
		replies := []reply.Reply{o.SMTPReplyQueued(), o.SMTPReply()}
		for _, r := range o.Recipients {
			replies = append(replies, r)
		}
		for _, r := range replies {
			ok := r.Code >= 250 && r.Code <= 259 || r.Code >= 450 && r.Code <= 452 || r.Code >= 550 && r.Code <= 554
			if !ok || int(r.Enhanced[0]) != r.Code/100 {
				t.Fatalf("%+v", r)
			}
			if len(r.Text()) > maxText || strings.ContainsFunc(r.Text(), func(c rune) bool { return c < ' ' || c > '~' }) {
				t.Fatalf("%q", r.Text())
			}
		}
	})
}
