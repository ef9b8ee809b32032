package webhook

import (
	"bytes"
	"encoding/json"
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
	ok := a.Status >= 200 && a.Status <= 299
	if v := a.Header.Get("SMTP-Reply"); v != "" {
		s.reply = parseReply(v, ok)
	}
	if !bytes.Contains(a.Body, []byte(`"smtp"`)) && !bytes.Contains(a.Body, []byte(`"recipients"`)) {
		return s
	}
	var body struct {
		SMTP       json.RawMessage            `json:"smtp"`
		Recipients map[string]json.RawMessage `json:"recipients"`
	}
	if json.Unmarshal(a.Body, &body) != nil {
		var only struct {
			SMTP json.RawMessage `json:"smtp"`
		}
		if json.Unmarshal(a.Body, &only) != nil {
			return s
		}
		body.SMTP = only.SMTP
	}
	if s.reply == nil {
		s.reply = jsonReply(body.SMTP, ok)
	}
	var inner struct {
		Recipients map[string]json.RawMessage `json:"recipients"`
	}
	if json.Unmarshal(body.SMTP, &inner) == nil && len(inner.Recipients) > 0 {
		body.Recipients = inner.Recipients
	}
	for address, raw := range body.Recipients {
		if r := jsonReply(raw, ok); r != nil {
			if s.recipients == nil {
				s.recipients = map[string]reply.Reply{}
			}
			s.recipients[address] = *r
		}
	}
	return s
}

// jsonReply reads {"code":550,"enhanced":"5.1.1","message":"…"} or
// "550 5.1.1 …".
func jsonReply(raw json.RawMessage, ok bool) *reply.Reply {
	var line string
	if json.Unmarshal(raw, &line) == nil && line != "" {
		return parseReply(line, ok)
	}
	var r struct {
		Code     json.Number `json:"code"`
		Enhanced string      `json:"enhanced"`
		Message  string      `json:"message"`
	}
	if json.Unmarshal(raw, &r) != nil {
		return nil
	}
	code, err := strconv.Atoi(r.Code.String())
	if err != nil {
		return nil
	}
	return fit(code, r.Enhanced, r.Message, ok)
}

// parseReply reads "550 5.1.1 No such project"; the enhanced code may be absent.
func parseReply(s string, ok bool) *reply.Reply {
	word, rest, _ := strings.Cut(strings.TrimSpace(s), " ")
	code, err := strconv.Atoi(word)
	if err != nil || len(word) != 3 {
		return nil
	}
	enhanced, words, _ := strings.Cut(strings.TrimSpace(rest), " ")
	if _, valid := reply.ParseEnhanced(enhanced); !valid {
		enhanced, words = "", rest
	}
	return fit(code, enhanced, words, ok)
}

// fit makes a reply one that we give: 450-452 and 550-554 as they are, any
// other 4xx as 451, any other 5xx as 554, 2xx only where the HTTP status is one
// too. The enhanced class is made to match the code.
func fit(code int, enhanced, words string, ok bool) *reply.Reply {
	switch {
	case code >= 200 && code <= 299:
		if !ok {
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
