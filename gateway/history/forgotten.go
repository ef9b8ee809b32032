package history

import (
	"crypto/sha256"
	"encoding/hex"
	"time"

	"postern/gateway/text"
)

// ForgottenFor is how long it is remembered that somebody was forgotten: records
// of mail that waited in the queue so long still come.
const ForgottenFor = 7 * 24 * time.Hour

// NameSum stands for an address in what remembers that it was forgotten.
func NameSum(address string) string {
	sum := sha256.Sum256([]byte(text.FoldAddress(address)))
	return hex.EncodeToString(sum[:16])
}

// NameSums are those of the record's addresses.
func (r *Record) NameSums() []string { return nameSums(r.addresses()) }

// NameSums are those of the attempt's recipients.
func (a *Attempt) NameSums() []string { return nameSums(a.To) }

// Names reports whether the attempt was for exactly this address.
func (a *Attempt) Names(address string) bool { return names(a.To, address) }

func nameSums(addresses []string) []string {
	all := make([]string, 0, len(addresses))
	for _, a := range addresses {
		if a != "" {
			all = append(all, NameSum(a))
		}
	}
	return all
}
