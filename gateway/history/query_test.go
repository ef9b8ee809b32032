package history

import (
	"slices"
	"strings"
	"testing"
)

// TestWords: a record is found by each address, its parts and its domain,
// however many of its addresses share them.
func TestWords(t *testing.T) {
	r := Record{
		From: "Ann.B@Sender.example", Author: []string{"Ann.B@Sender.example", "boss@sender.example"},
		To:     []Recipient{{Address: "sales+eu@in.example"}, {Address: "INFO@in.example"}, {Address: `"two words"@in.example`}, {Address: "info@other.example"}, {Address: "postmaster"}},
		Result: Accepted, Subject: "Straße 7",
	}
	words := r.Words()
	for _, want := range strings.Fields("ann b sender example annʭbʭsenderʭexample senderʭexample boss bossʭsenderʭexample " +
		"sales eu in salesʭeuʭinʭexample inʭexample info infoʭinʭexample two words wordsʭinʭexample other infoʭotherʭexample otherʭexample postmaster straße 7 ʭaccepted") {
		if !slices.Contains(words, want) {
			t.Errorf("%q isn't among %q", want, words)
		}
	}
	for word, times := range map[string]int{"annʭbʭsenderʭexample": 1, "inʭexample": 2, "in": 2} {
		if n := count(words, word); n > times {
			t.Errorf("%q stands there %d times: %q", word, n, words)
		}
	}
}

func count(words []string, word string) (n int) {
	for _, w := range words {
		if w == word {
			n++
		}
	}
	return n
}
