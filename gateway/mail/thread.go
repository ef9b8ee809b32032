package mail

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"unicode"
)

// ThreadID names the conversation that the mail belongs to, from the mail alone:
// the first of References, which is the conversation's root, else the first of
// In-Reply-To, else the mail itself; the subject only where there is no
// identifier at all; "" where there is no subject either. Replies, replies to all
// and forwards keep it. It is a hint: anybody can write any identifier into a
// mail, so it never says who may see or change what.
func (m *Message) ThreadID() string {
	for _, list := range [][]string{m.References, m.InReplyTo, {m.MessageID}} {
		for _, id := range list {
			if strings.Contains(id, "@") {
				return id
			}
		}
	}
	for _, list := range [][]string{m.References, m.InReplyTo, {m.MessageID}} {
		if len(list) > 0 && list[0] != "" {
			return list[0]
		}
	}
	subject := BaseSubject(m.Subject)
	if subject == "" {
		return ""
	}
	sum := sha256.Sum256([]byte(subject))
	return "subject:" + hex.EncodeToString(sum[:16])
}

// BaseSubject is a subject without what replies, forwards and mailing lists put
// before it and behind it (RFC 5256 2.1, and other languages' words), in lower
// case with single blanks.
func BaseSubject(s string) string {
	s = strings.ToLower(strings.Join(strings.FieldsFunc(s, unicode.IsSpace), " "))
	for {
		before := s
		s = strings.TrimSpace(strings.TrimSuffix(s, "(fwd)"))
		if i := strings.IndexByte(s, ']'); strings.HasPrefix(s, "[") && i > 0 && i < len(s)-1 {
			s = strings.TrimSpace(s[i+1:])
		}
		if i := strings.IndexAny(s, ":：["); i > 0 && replyWord(strings.TrimSpace(s[:i])) {
			if s[i] == '[' { // "re[2]:"
				if _, after, ok := strings.Cut(s[i:], "]:"); ok {
					s = strings.TrimSpace(after)
				}
			} else {
				_, after, _ := strings.Cut(strings.Replace(s, "：", ":", 1), ":")
				s = strings.TrimSpace(after)
			}
		}
		if s == before {
			return s
		}
	}
}

// replyWord knows what mailers put before a subject.
func replyWord(w string) bool {
	switch w {
	case "re", "aw", "antw", "antwort", "sv", "vs", "ref", "rif", "r", "rv", "res", "odp", "ynt", "vá", "ha", "atb", "отв", "на", "回复", "答复", "回覆", "返信", "답장", "회신", "תגובה", "رد",
		"fw", "fwd", "wg", "tr", "i", "enc", "vl", "vb", "doorst", "pd", "továbbítás", "fs", "ilt", "пер", "转发", "轉寄", "転送", "전달", "הועבר", "إعادة توجيه", "rv reenv":
		return true
	}
	return false
}
