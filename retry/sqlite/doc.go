// Package sqlite is the embedded retry queue: one folder, one owner.
//
// A nil error of Enqueue means that the message is in a committed and fsynced
// transaction and, above 64 KiB, that its body is an fsynced file in an
// fsynced folder: it survives kill -9 and power cuts. A failed fsync or commit
// is never retried: from then on every write answers retry.ErrUnhealthy and
// Options.OnFatal is called, so that the program ends and recovery decides. A
// full disk is rolled back and answered retry.ErrFull, and the queue lives on.
//
// All writes go through one goroutine that puts whatever waits into one
// transaction (group commit); reads have connections of their own.
//
// With Options.Bodies those bodies lie in an object store instead: stored there
// before the transaction that names them, deleted by a sweep after it is gone.
//
// The folder:
//
//	queue.lock               flock: one owner
//	queue.reserve            room that is given up when others fill the disk
//	queue.db -wal -shm       the database, readable with sqlite3
//	bodies/00 … bodies/ff    bodies over 64 KiB, one file each
//	bodies/tmp               bodies being written
//	queue.open               there while an owner has it open
//	lost+found               what was set aside because it was damaged
//
// Damage is never silent. Open looks at the files before SQLite does: a database
// that is missing or whose pages, rows or counts are damaged, and a log that is
// cut, damaged in the middle or gone are set aside whole, and what their
// checksums vouch for is taken over into a sound database. Stored mail that no
// database names goes to lost+found too. All of it is logged as an error and
// counted in retry.Stats.Aside. A body that differs from its checksum becomes a
// dead letter.
//
// An operator's command opens the same folder with Options.Admin beside the
// running owner, which notices within a second.
package sqlite
