// Package header reads the header fields of mail: it takes a header block apart
// and turns raw fields into text, parameters and mailboxes (RFC 5322, 2045, 2047
// and 2231).
//
// Nothing here fails, whatever the octets: what can be repaired is repaired, what
// can't be read is kept as text, no mailbox is lost, and Reader tells what it
// repaired in words. Every string is valid UTF-8 without line ends; what each
// reading costs is linear in its input.
package header
