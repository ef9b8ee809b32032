package smtp

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net/netip"
	"postern/gateway/smtp/reply"

	"postern/gateway/smtp/address"
)

// Handler decides what the engine can't: who is welcome, who is a recipient,
// what becomes of a message. One value serves all connections; its methods
// are called from many goroutines, for one session one at a time. Every method
// returns its answer as a reply; a zero reply means "go on as usual". A reply
// that is neither 2xx, 4xx nor 5xx is taken for a fault: 451.
type Handler interface {
	// Connect is asked before the greeting. A 4xx or 5xx reply refuses the
	// client; the lines of a 2xx reply follow the domain in the greeting.
	Connect(ctx context.Context, c *Client) reply.Reply
	// Mail is asked when MAIL, SEND, SOML or SAML is syntactically right.
	Mail(ctx context.Context, t *Transaction) reply.Reply
	// Rcpt is asked for each recipient; a 2xx reply (250, 251) or a zero one
	// accepts it. It may rewrite r.Address and set r.Data for its own use.
	Rcpt(ctx context.Context, t *Transaction, r *Recipient) reply.Reply
	// Data opens the sink that takes the octets of DATA or BDAT, dots removed,
	// lines ended by CRLF (BDAT: octets as they are). A 4xx or 5xx reply
	// refuses the message before 354.
	Data(ctx context.Context, t *Transaction) (Sink, reply.Reply)
	// Message is called once the last octet was written to the sink. SMTP uses
	// the first reply; LMTP one for each recipient, in their order (a single
	// reply then holds for all). The context ends at shutdown's grace, never
	// because the client hung up. The sink's owner is the handler from here on.
	Message(ctx context.Context, t *Transaction, s Sink) []reply.Reply
	// Ended is called once for each transaction, when it is over. The replies are
	// those to its message, the engine's own too; without any it was given up:
	// by RSET, a new greeting, or the connection's end. gone is true where the
	// client had hung up and won't know.
	Ended(t *Transaction, replies []reply.Reply, gone bool)
	// Refused is called where MAIL or AUTH is refused, so that there is no
	// transaction to end: verb is the command, argument what came behind MAIL or
	// who wanted to sign in.
	Refused(c *Client, verb, argument string, r reply.Reply)
	// Verify and Expand answer VRFY and EXPN when they are on; arg is an address
	// or a user's name. The engine's own answer is 252.
	Verify(ctx context.Context, c *Client, arg string) reply.Reply
	Expand(ctx context.Context, c *Client, arg string) reply.Reply
	// Status answers HELP STATUS; the engine's own answer is 211.
	Status(ctx context.Context, c *Client) reply.Reply
}

// ErrSinkFull is returned by a Sink's Write when there is no room for the
// message: the client is answered 452 4.3.1.
var ErrSinkFull = errors.New("smtp: no room for the message")

// Sink takes a message's octets while they arrive.
type Sink interface {
	// Write takes the next octets. An error ends the message with 452 when it
	// is ErrSinkFull (errors.Is), with 451 otherwise; the engine stays in step.
	// The octets are the engine's: they are not to be kept.
	io.Writer
	// Abort drops what was written: the client hung up, or the message was
	// refused for a fault of its form. It is not called after Message.
	Abort()
}

// Settler is a Sink whose disk may be slower than its client.
type Settler interface {
	// Settle waits for the disk where it must. It is called between Writes of a
	// large message, when no other message waits for this one.
	Settle()
}

// Address is a path of the envelope.
type Address = address.Address

// Client is the peer of one session.
type Client struct {
	Addr     netip.AddrPort       // PROXY header applied; zero for a unix socket
	Local    netip.AddrPort       // the address it connected to, PROXY header applied
	Unix     bool                 // came by a unix socket
	LMTP     bool                 // speaks LMTP (RFC 2033)
	Hello    string               // argument of HELO, EHLO or LHLO
	Extended bool                 // EHLO or LHLO, not HELO
	TLS      *tls.ConnectionState // nil in the clear; behind a proxy what its SSL TLV says
	Auth     string               // who signed in, "" nobody
	Collect  []string             // the endpoints whose mail it may collect by TURN
	Data     any                  // the handler's own, kept for the session
}

// secure reports whether nobody listens between the client and us.
func (c *Client) secure() bool { return c.TLS != nil || c.Unix }

// Transaction is one message's envelope while it is being given.
type Transaction struct {
	Client     *Client
	Verb       string // MAIL, SEND, SOML or SAML
	From       Address
	Size       int64  // of SIZE=, 0 not given (RFC 1870)
	Body       string // 7BIT, 8BITMIME, BINARYMIME or "" (RFC 6152, 3030)
	Chunked    bool   // the message came by BDAT: its line ends are as they are
	BareLF     bool   // a line end of DATA was no CRLF and became one
	UTF8       bool   // SMTPUTF8 (RFC 6531)
	RequireTLS bool   // RFC 8689
	Ret, EnvID string // RFC 3461
	By         string // RFC 2852
	AuthParam  string // AUTH= of MAIL, decoded (RFC 4954)
	Recipients []*Recipient
	Refused    int       // recipients that were not accepted
	Refusals   []Refusal // the first maxRefusals of them
	Data       any       // the handler's own, kept for the transaction

	held    int64 // octets booked for it
	replies []reply.Reply
	gone    bool
}

// maxRefusals is how many refused recipients are remembered by name.
const maxRefusals = 100

// Refusal is a recipient that was not accepted.
type Refusal struct {
	Address string // as given, as far as it could be read
	Reply   reply.Reply
}

// refuse notes a recipient that was not accepted.
func (t *Transaction) refuse(address string, r reply.Reply) reply.Reply {
	t.Refused++
	if len(t.Refusals) < maxRefusals {
		t.Refusals = append(t.Refusals, Refusal{address, r})
	}
	return r
}

// Recipient is one forward-path.
type Recipient struct {
	Address Address
	Notify  []string // RFC 3461
	ORcpt   string   // RFC 3461, "type;address", decoded
	Data    any      // the handler's own
}
