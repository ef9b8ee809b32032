package smtp

import "postern/gateway/smtp/reply"

// The engine's own answers. They are never changed; a session that needs one
// with other words makes its own.
var (
	replyOK      = reply.New(250, reply.Enhanced{2, 0, 0}, "OK")
	replyReset   = reply.New(250, reply.Enhanced{2, 0, 0}, "Flushed")
	replySender  = reply.New(250, reply.Enhanced{2, 1, 0}, "Sender OK")
	replyRcpt    = reply.New(250, reply.Enhanced{2, 1, 5}, "Recipient OK")
	replyChunk   = reply.New(250, reply.Enhanced{2, 0, 0}, "Chunk taken")
	replyBye     = reply.New(221, reply.Enhanced{2, 0, 0}, "Bye").Closing()
	replyStart   = reply.New(354, reply.Enhanced{}, "End data with <CR><LF>.<CR><LF>")
	replyCannot  = reply.New(252, reply.Enhanced{2, 5, 2}, "Cannot VRFY the user, but will take mail for it")
	replyTLSGo   = reply.New(220, reply.Enhanced{2, 0, 0}, "Ready to start TLS")
	replyAuthed  = reply.New(235, reply.Enhanced{2, 7, 0}, "Authentication successful")
	replyTurning = reply.New(250, reply.Enhanced{2, 0, 0}, "OK, you are the server now")
)

var (
	replyUnknown     = reply.New(500, reply.Enhanced{5, 5, 1}, "Command not recognized")
	replyBadLine     = reply.New(500, reply.Enhanced{5, 5, 2}, "Command line holds octets that are not allowed")
	replyLineTooLong = reply.New(500, reply.Enhanced{5, 5, 2}, "Line too long")
	replyAuthTooLong = reply.New(500, reply.Enhanced{5, 5, 6}, "Authentication exchange line is too long")
	replySyntax      = reply.New(501, reply.Enhanced{5, 5, 4}, "Syntax error in parameters or arguments")
	replyNoArgument  = reply.New(501, reply.Enhanced{5, 5, 4}, "This command takes no argument")
	replyNeedsArg    = reply.New(501, reply.Enhanced{5, 5, 4}, "This command needs an argument")
	replyOff         = reply.New(502, reply.Enhanced{5, 5, 1}, "Command not available here")
	replyOrder       = reply.New(503, reply.Enhanced{5, 5, 1}, "Bad sequence of commands")
	replyNoHello     = reply.New(503, reply.Enhanced{5, 5, 1}, "Say hello first")
	replyBadParam    = reply.New(501, reply.Enhanced{5, 5, 4}, "Parameter not understood")
	replyTwice       = reply.New(501, reply.Enhanced{5, 5, 4}, "Parameter given twice")
	replyBadValue    = reply.New(504, reply.Enhanced{5, 5, 4}, "Parameter value not implemented")
	replyNoParam     = reply.New(555, reply.Enhanced{5, 5, 4}, "Parameter not recognized or not offered")
	replyNoTopic     = reply.New(504, reply.Enhanced{5, 5, 4}, "No help on this topic")
	replyFrom        = reply.New(501, reply.Enhanced{5, 5, 4}, "Expected FROM:<address>")
	replyTo          = reply.New(501, reply.Enhanced{5, 5, 4}, "Expected TO:<address>")
	replyPath        = reply.New(501, reply.Enhanced{5, 5, 2}, "Address is not enclosed in angle brackets")
	replyAddress     = reply.New(553, reply.Enhanced{5, 1, 3}, "Address syntax")
	replySenderBad   = reply.New(553, reply.Enhanced{5, 1, 7}, "Address syntax")
	replyPathLong    = reply.New(553, reply.Enhanced{5, 1, 3}, "Address too long")
	replyNoUTF8      = reply.New(553, reply.Enhanced{5, 6, 7}, "Address has non-ASCII characters; use SMTPUTF8")
	replyNullRcpt    = reply.New(553, reply.Enhanced{5, 1, 3}, "The null address is no recipient")
	replyForeign     = reply.New(554, reply.Enhanced{5, 5, 0}, "This is SMTP").Closing()
	replyNoProxy     = reply.New(554, reply.Enhanced{5, 5, 0}, "A PROXY header is due here").Closing()
	replyEarly       = reply.New(554, reply.Enhanced{5, 5, 0}, "You talk before it is your turn").Closing()
	replyBehind      = reply.New(554, reply.Enhanced{5, 5, 0}, "You talk before you have the answer").Closing()
	replyNoRcpt      = reply.New(554, reply.Enhanced{5, 5, 1}, "No valid recipients")
	replyNeedsBDAT   = reply.New(503, reply.Enhanced{5, 5, 1}, "BODY=BINARYMIME needs BDAT")
	replyBadChunk    = reply.New(501, reply.Enhanced{5, 5, 4}, "Expected BDAT size [LAST]").Closing()
	replyBareLF      = reply.New(550, reply.Enhanced{5, 5, 2}, "Message has a bare CR or LF; lines must end in CRLF")
	replyTooBig      = reply.New(552, reply.Enhanced{5, 3, 4}, "Message larger than the limit")
	replyHeaderBig   = reply.New(552, reply.Enhanced{5, 3, 4}, "Message header larger than the limit")
	replyLoop        = reply.New(554, reply.Enhanced{5, 4, 6}, "Too many Received lines: this looks like a loop")
)

var (
	replyTooManyRcpt   = reply.New(452, reply.Enhanced{4, 5, 3}, "Too many recipients")
	replyNoMemory      = reply.New(452, reply.Enhanced{4, 3, 1}, "No memory for more recipients now, send to the others first")
	replySinkFull      = reply.New(452, reply.Enhanced{4, 3, 1}, "No space for the message now")
	replySinkFault     = reply.New(451, reply.Enhanced{4, 3, 0}, "Local error, please try again later")
	replyHandlerFault  = reply.New(451, reply.Enhanced{4, 3, 0}, "Local error, please try again later")
	replyDataIdle      = reply.New(421, reply.Enhanced{4, 4, 2}, "Time-out waiting for data")
	replyIdle          = reply.New(421, reply.Enhanced{4, 4, 2}, "Time-out")
	replyShutdown      = reply.New(421, reply.Enhanced{4, 3, 2}, "Shutting down, please try again")
	replyCrowded       = reply.New(421, reply.Enhanced{4, 3, 2}, "Too many connections, please try again later")
	replyClientCrowded = reply.New(421, reply.Enhanced{4, 7, 0}, "Too many connections from your address")
	replyErrors        = reply.New(421, reply.Enhanced{4, 7, 0}, "Too many errors")
	replyJunk          = reply.New(421, reply.Enhanced{4, 7, 0}, "Too many commands without a message")
	replyEnough        = reply.New(421, reply.Enhanced{4, 7, 0}, "Too many messages in one session")
	replyPanic         = reply.New(421, reply.Enhanced{4, 3, 0}, "Internal error")
	replyAuthBarred    = reply.New(454, reply.Enhanced{4, 7, 0}, "Too many failed attempts from your network, please try again later")
	replyAuthBusy      = reply.New(454, reply.Enhanced{4, 7, 0}, "Too many sign in at once, please try again later")
	replyNeedTLS       = reply.New(530, reply.Enhanced{5, 7, 0}, "Must issue a STARTTLS command first")
	replyNeedAuth      = reply.New(530, reply.Enhanced{5, 7, 0}, "Authentication required")
)

// sane is a handler's reply where only 2xx, 4xx and 5xx make sense: zero stays
// zero, anything else is the handler's fault and defers.
func sane(r reply.Reply) reply.Reply {
	switch {
	case r.Zero(), r.Code >= 200 && r.Code < 300, r.Code >= 400 && r.Code < 600:
		return r
	}
	return replyHandlerFault
}
