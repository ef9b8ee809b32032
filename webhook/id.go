package webhook

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"slices"
)

// DeliveryID is the webhook-id: the same for all attempts and for the sender's
// re-sends of the message with this key, whatever the order of the recipients.
// It has no ".", which Standard Webhooks uses as separator.
func DeliveryID(key, endpoint string, recipients []string) string {
	to := slices.Clone(recipients)
	slices.Sort(to)
	h := sha256.New()
	write := func(s string) { // length-prefixed, so that no two lists look alike
		var n [8]byte
		binary.BigEndian.PutUint64(n[:], uint64(len(s)))
		h.Write(n[:])
		h.Write([]byte(s))
	}
	write(key)
	write(endpoint)
	for _, r := range slices.Compact(to) {
		write(r)
	}
	return "msg_" + hex.EncodeToString(h.Sum(nil)[:20])
}
