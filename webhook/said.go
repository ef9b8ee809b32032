package webhook

import (
	"bytes"
	"encoding/json"
	"math"
	"mime"
	"strconv"
	"strings"

	"postern/gateway/smtp/reply"
	"postern/gateway/text"
)

// maxText is the longest reply text that is taken from a webhook: an SMTP reply
// line has 512 octets (RFC 5321, 4.5.3.1.5).
const maxText = 400

// said is what a webhook says beside its status.
type said struct {
	reply      *reply.Reply
	recipients map[string]reply.Reply
}

// readSaid looks for an SMTP-Reply header, then for a JSON body with smtp. What
// is malformed or doesn't fit the status says nothing.
func readSaid(a Answer) (s said) {
	accepted := a.Status >= 200 && a.Status <= 299
	if v := a.Header.Get("SMTP-Reply"); v != "" {
		s.reply = parseReply(v, accepted)
	}
	if !bytes.Contains(a.Body, []byte(`"smtp"`)) && !bytes.Contains(a.Body, []byte(`"recipients"`)) {
		return s
	}
	var body struct{ SMTP, Recipients json.RawMessage }
	if json.Unmarshal(bytes.TrimPrefix(a.Body, byteOrderMark), &body) != nil {
		return s
	}
	if s.reply == nil {
		s.reply = jsonReply(body.SMTP, accepted)
	}
	var inner struct{ Recipients json.RawMessage }
	if json.Unmarshal(body.SMTP, &inner) == nil && inner.Recipients != nil {
		body.Recipients = inner.Recipients
	}
	s.recipients = eachReply(body.Recipients, accepted)
	return s
}

// byteOrderMark begins what some frameworks write as UTF-8.
var byteOrderMark = []byte("\uFEFF")

// eachReply reads {address: reply}.
func eachReply(raw json.RawMessage, accepted bool) map[string]reply.Reply {
	var all map[string]json.RawMessage
	if json.Unmarshal(raw, &all) != nil {
		return nil
	}
	var out map[string]reply.Reply
	for address, raw := range all {
		if r := jsonReply(raw, accepted); r != nil {
			if out == nil {
				out = map[string]reply.Reply{}
			}
			out[address] = *r
		}
	}
	return out
}

// jsonReply reads {"code":550,"enhanced":"5.1.1","message":"…"} or
// "550 5.1.1 …". Each field is read by itself: a message that is no text must not
// turn a refusal into a 250.
func jsonReply(raw json.RawMessage, accepted bool) *reply.Reply {
	var line string
	if json.Unmarshal(raw, &line) == nil && line != "" {
		return parseReply(line, accepted)
	}
	var r struct{ Code, Enhanced, Message json.RawMessage }
	if json.Unmarshal(raw, &r) != nil {
		return nil
	}
	code, err := strconv.ParseFloat(strings.Trim(string(r.Code), `"`), 64)
	if err != nil || code != math.Trunc(code) || math.Abs(code) > 999 {
		return nil
	}
	var enhanced, message string
	_ = json.Unmarshal(r.Enhanced, &enhanced)
	_ = json.Unmarshal(r.Message, &message)
	return fit(int(code), enhanced, message, accepted)
}

// parseReply reads "550 5.1.1 No such project"; the enhanced code may be absent.
func parseReply(s string, accepted bool) *reply.Reply {
	word, rest, _ := strings.Cut(strings.TrimSpace(s), " ")
	code, err := strconv.Atoi(word)
	if err != nil || len(word) != 3 {
		return nil
	}
	enhanced, words, _ := strings.Cut(strings.TrimSpace(rest), " ")
	if _, valid := reply.ParseEnhanced(enhanced); !valid {
		enhanced, words = "", rest
	}
	return fit(code, enhanced, words, accepted)
}

// fit makes a reply one that we give: 450-452 and 550-554 as they are, any
// other 4xx as 451, any other 5xx as 554, 2xx only where the HTTP status is one
// too (accepted). The enhanced class is made to match the code.
func fit(code int, enhanced, words string, accepted bool) *reply.Reply {
	switch {
	case code >= 200 && code <= 299:
		if !accepted {
			return nil
		}
		if code < 250 || code > 259 {
			code = 250
		}
	case code >= 400 && code <= 499:
		if code < 450 || code > 452 {
			code = 451
		}
	case code >= 500 && code <= 599:
		if code < 550 || code > 554 {
			code = 554
		}
	default:
		return nil
	}
	r := reply.Reply{Code: code, Enhanced: reply.Standard(code).Enhanced}
	if e, given := reply.ParseEnhanced(enhanced); given {
		r.Enhanced = e.Of(code)
	}
	if words = text.Reply(words, maxText); words != "" {
		r.Lines = []string{words}
	}
	return &r
}

// plainText is a rejecting answer's short text/plain body, as a reply's text.
func plainText(a Answer) string {
	t, _, err := mime.ParseMediaType(a.Header.Get("Content-Type"))
	if err != nil || t != "text/plain" || len(a.Body) > 2*maxText {
		return ""
	}
	return text.Reply(string(a.Body), maxText)
}
