// Package mail holds the nouns of a mail (envelope, source, message) and the
// tolerant reader that makes a Message out of whatever people and machines
// send.
//
// Parse fails only when the source can't be read. Malformed mail is never an
// error: what can be repaired is repaired, what can't is passed on undecoded,
// and Message.Defects says so in words. No octet of any leaf is lost, and
// every string is valid UTF-8.
package mail
