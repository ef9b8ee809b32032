package history

import (
	"crypto/sha256"
	"encoding/hex"
	"strconv"
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

// Came is when the attempt's message came, as its id says: whether it is mail from
// before a forgetting, whose record went, though the attempt be later. Where the id
// doesn't say so, it is the attempt's own time.
func (a *Attempt) Came() time.Time {
	if at, ok := idTime(a.Message); ok {
		return at
	}
	return a.At
}

// idLen is how long a message's id is: 128 bits, five in each character.
const idLen = 26

// idTime reads a message's id, which begins with 48 bits of milliseconds.
func idTime(id string) (time.Time, bool) {
	if len(id) != idLen {
		return time.Time{}, false
	}
	bits, err := strconv.ParseUint(id[:10], 32, 64)
	return time.UnixMilli(int64(bits >> 2)), err == nil
}

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
