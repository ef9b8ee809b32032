// Package wal reads SQLite's files beside SQLite: the write-ahead log, its index
// and the database's first page.
//
// SQLite takes the first frame that doesn't add up for the end of the log and
// forgets all behind it, without a word. Here each frame is held to its own
// checksum, so that a log damaged in the middle is told from one that ends, and
// what was committed behind the damage can be read.
//
// Nothing here changes a file that it reads, and no content is taken on trust: a
// file of any octets yields fewer frames or an error of the file system, nothing
// else. Nobody may write the files meanwhile.
package wal
