package smtp

// Observer sees every session and every reply, so that metrics are kept in one
// place. Its methods are called from the sessions' goroutines and must not block.
type Observer interface {
	// SessionStarted is called once a connection is taken; c's address is the socket's.
	SessionStarted(c *Client)
	// Replied is called for each reply. The verb is the command's name,
	// "CONNECT" for the greeting, "END-OF-DATA" for the reply to a message and
	// "UNKNOWN" for anything else, so it may serve as a label.
	Replied(c *Client, verb string, code int)
	// Happened is called for what happens beside the replies.
	Happened(c *Client, e Event)
	// SignedIn is called for each attempt to sign in (AUTH).
	SignedIn(c *Client, how SignIn)
	// SessionEnded is called after the connection was closed.
	SessionEnded(c *Client, end End)
}

// Event is something worth counting that is no reply of its own.
type Event uint8

const (
	EventBareLFCommand  Event = iota // a command line ended in LF alone
	EventBareLFMessage               // a message held a lone CR or LF
	EventEarlyTalk                   // octets came before the greeting
	EventBehindSTARTTLS              // octets came behind STARTTLS in the clear
	EventBehindDATA                  // octets came behind DATA before the 354
	EventCrossProtocol               // HTTP, TLS or PROXY where SMTP was due
	EventTLSFailed                   // a handshake failed
	EventPanic                       // a handler panicked
)

// String is the event's label.
func (e Event) String() string {
	return label([]string{"bare-lf-command", "bare-lf-message", "early-talk", "behind-starttls", "behind-data", "cross-protocol", "tls-failed", "panic"}, int(e))
}

// Events lists all of them, so that their series exist from the start.
func Events() []Event { return all[Event](int(EventPanic) + 1) }

// SignIn is how an attempt to sign in ended.
type SignIn uint8

const (
	SignInOK          SignIn = iota // signed in
	SignInWrong                     // user or password is wrong
	SignInBarred                    // not asked: the network failed too often of late
	SignInBusy                      // not asked: too many wait for a check
	SignInCancelled                 // the client gave up, or hung up
	SignInMalformed                 // not what the mechanism wants
	SignInRefused                   // no such mechanism, or not without TLS
	SignInUnavailable               // nobody could say
)

// String is the end's label.
func (i SignIn) String() string {
	return label([]string{"ok", "wrong", "barred", "busy", "cancelled", "malformed", "refused", "unavailable"}, int(i))
}

// SignIns lists all of them, so that their series exist from the start.
func SignIns() []SignIn { return all[SignIn](int(SignInUnavailable) + 1) }

// End is why a session ended.
type End uint8

const (
	EndQuit     End = iota // the client said QUIT
	EndGone                // the client hung up, or doesn't take our replies
	EndRefused             // not welcome: the handler or early talk
	EndCrowded             // connection limits
	EndTimeout             // a clock ran out
	EndLimit               // errors, junk, messages
	EndProtocol            // not SMTP, or out of step
	EndTLS                 // the handshake failed
	EndShutdown            // the server closes
	EndHandler             // a reply of the handler closed it
	EndFault               // a panic
)

// String is the reason's label.
func (e End) String() string {
	return label([]string{"quit", "gone", "refused", "crowded", "timeout", "limit", "protocol", "tls", "shutdown", "handler", "fault"}, int(e))
}

// Ends lists all of them, so that their series exist from the start.
func Ends() []End { return all[End](int(EndFault) + 1) }

func label(names []string, i int) string {
	if i < len(names) {
		return names[i]
	}
	return "unknown"
}

func all[T ~uint8](n int) []T {
	list := make([]T, n)
	for i := range list {
		list[i] = T(i)
	}
	return list
}

// nobody is the Observer of a server without one.
type nobody struct{}

func (nobody) SessionStarted(*Client)       {}
func (nobody) Replied(*Client, string, int) {}
func (nobody) Happened(*Client, Event)      {}
func (nobody) SignedIn(*Client, SignIn)     {}
func (nobody) SessionEnded(*Client, End)    {}
