package postgres

import "strings"

// valid makes a string one that the server takes: mail and webhooks bring
// octets that are no UTF-8, and NUL.
func valid(s string) string {
	return strings.ReplaceAll(strings.ToValidUTF8(s, "\uFFFD"), "\x00", "\uFFFD")
}
