package mail

import "strings"

// splitReply takes a text apart into what the author wrote now, what they
// quote, and how they sign.
func splitReply(text string) Reply {
	return Reply{Text: strings.TrimSpace(text)}
}
