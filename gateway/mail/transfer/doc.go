// Package transfer undoes the content transfer encodings of MIME (RFC 2045 6),
// and uuencode, as tolerantly as mail demands.
//
// Nothing here fails: what an encoding doesn't allow is dropped or stays as it
// is, and no line is too long. Decoders work piece by piece with bounded memory
// and can be cloned, to go on later from where they are.
package transfer
