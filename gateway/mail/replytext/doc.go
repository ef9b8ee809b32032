// Package replytext takes the text of a reply apart: what its author wrote now,
// what they quote, and how they sign.
//
// Nothing is lost and nothing is made up: every line of the text is in exactly
// one part. A text that nobody can take apart is all Text. The time it takes is
// linear in the text.
package replytext

// Reply is a text taken apart: what the author wrote now, what they quote,
// and how they sign.
type Reply struct {
	Text      string
	Quoted    string
	Signature string
}
