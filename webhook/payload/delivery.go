package payload

import (
	"io"
	"net/http"
	"time"

	"postern/gateway/mail"
)

// Delivery is one POST: a message, an endpoint, a recipient group. It is the
// same for fresh and for replayed mail.
type Delivery struct {
	ID         string // webhook-id
	Attempt    int    // 1 for the first
	Endpoint   string // name
	Envelope   *mail.Envelope
	Recipients []mail.Recipient // this endpoint's, at least one
	Message    *mail.Message
	Raw        mail.Source            // our header lines and the octets of DATA
	RawSum     func() (string, error) // hex SHA-256 of Raw, made once for all who ask; nil: RawSum of the package
	Links      Links                  // nil: no content by url
}

// Links makes signed urls for content that Postern serves itself: the same
// arguments, the same url.
type Links interface {
	// Attachment is the url of the message's i-th attachment.
	Attachment(messageID string, i int, filename string) string
	// Raw is the url of the whole message.
	Raw(messageID string) string
}

// Where says how content travels.
type Where string

// The places for content.
const (
	Inline Where = "inline"
	URL    Where = "url"
	Omit   Where = "omit"
)

// Options are an endpoint's wishes for its payloads.
type Options struct {
	Attachments Where
	Raw         Where
	InlineLimit int64     // octets of body above which content turns into urls, where Links allows; 0 never
	Markdown    bool      // the native format tells the mail as Markdown, too
	Signals     bool      // and what it hides or disguises
	URL         string    // as configured: some formats sign it or read a mode from it
	Secret      string    // for formats that sign inside the body
	At          time.Time // of the attempt, for signatures
	Hostname    string    // our name
}

// Body is a rendered request body. Write may be called many times and always
// writes the same Length octets.
type Body struct {
	ContentType string
	Header      http.Header // what the format adds; may be nil
	Length      int64
	Bytes       []byte // the whole body where it is small (one segment), else nil
	Write       func(w io.Writer) error
	UsesLinks   bool // content was turned into urls: it must be durable before the POST
}

// Format renders deliveries for one kind of receiver.
type Format interface {
	// Name is the word of FORMAT=.
	Name() string
	// PerRecipient says that a body carries one recipient only.
	PerRecipient() bool
	// Render is deterministic for a Delivery and Options. Its error says what
	// could not be read; it never depends on how malformed the mail is.
	Render(d Delivery, o Options) (Body, error)
}
