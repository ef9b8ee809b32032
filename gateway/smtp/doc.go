// Package smtp is the protocol engine: listeners, sessions, commands, data
// readers. It speaks RFC 5321 and its extensions to clients and asks a Handler
// what to answer; it knows nothing of MIME, HTTP or queues.
//
// A message is handed on only when its end of data was seen as CRLF "." CRLF
// or by BDAT LAST. A 250 is written only after Handler.Message returned it.
package smtp
