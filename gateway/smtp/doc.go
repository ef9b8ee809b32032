// Package smtp is the protocol engine: listeners, sessions, commands, data
// readers. It speaks RFC 5321 and its extensions to clients and asks a Handler
// what to answer; it knows nothing of MIME, HTTP or queues.
//
// A message is handed on only when its end of data was seen as CRLF "." CRLF
// or by BDAT LAST. A 250 is written only after Handler.Message returned it. A
// client that is refused stays in step: the rest of its message is read and
// dropped, or the connection is closed, but no octet of a message is ever
// taken for a command.
//
// A session walks through these states; every command says in which of them
// it is in order (commands.go), all else is 503:
//
//	(PROXY) -> (TLS) -> greet -> ready -> mail -> rcpt -> [DATA] -> ready
//	                                                \--> bdat --> ready
//
// One goroutine serves a session. It holds no buffer while the client is
// silent for longer than it takes, and two clocks: one for the command or
// block of data that is awaited, one for the session.
package smtp
