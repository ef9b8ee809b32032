// Package charset turns octets into UTF-8 by the label that they carry, by none,
// or against one that can't be true.
//
// Nothing here fails: every result is valid UTF-8, and U+FFFD stands for what
// nobody can read. Where another charset than the labelled one was used, the
// caller learns its name, so that the mail's defects can say so.
package charset
