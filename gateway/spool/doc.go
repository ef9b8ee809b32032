// Package spool keeps a message's octets on their way in: in memory while they are
// few, then in a file. What is written is read back unchanged as a mail.Source,
// any number of times, until Close.
//
// A spool that can't take more says so once (ErrFull, or the file's error) and is
// then good for nothing but Close. Nothing here survives the process: files that
// a killed one left are swept at the next start.
package spool
