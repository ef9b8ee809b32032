package payload

import (
	"crypto/sha256"
	"encoding/hex"
	"mime"
	"path"
	"strconv"
	"strings"

	"postern/gateway/mail"
	"postern/gateway/text"
)

// maxFiles is how many files a form may have: Django refuses more than 100.
const maxFiles = 100

// form is a multipart/form-data body (RFC 7578).
type form struct {
	composer
	boundary string
	files    int
}

// newForm starts a form. The boundary is derived from the delivery's id, so that
// rendering is deterministic and the sender of the mail can't know it.
func newForm(id string) *form {
	sum := sha256.Sum256([]byte("boundary " + id))
	return &form{boundary: "postern-" + hex.EncodeToString(sum[:16])}
}

func (f *form) open(disposition string) {
	f.text("--" + f.boundary + "\r\nContent-Disposition: form-data; " + disposition)
}

// field adds a text field: a plain part without a file name and without a type.
func (f *form) field(name, value string) {
	value = strings.ToValidUTF8(value, "\uFFFD")
	if len(value) >= longText {
		f.value(name, ofText(value))
		return
	}
	f.open("name=" + quote(name) + "\r\n\r\n")
	f.text(value)
	f.text("\r\n")
}

// value adds a text field that is written later.
func (f *form) value(name string, s stream) {
	f.open("name=" + quote(name) + "\r\n\r\n")
	f.stream(s)
	f.text("\r\n")
}

// json adds a text field that holds JSON.
func (f *form) json(name string, fill func(c *composer)) {
	var c composer
	fill(&c)
	b, _ := c.body("")
	f.value(name, stream{b.Length, b.Write})
}

// file adds an attachment as a file part.
func (f *form) file(name string, a *mail.Attachment) {
	f.open("name=" + quote(name) + "; filename=" + quote(fileName(a, f.files+1)) + "\r\nContent-Type: " + fileType(a) + "\r\n\r\n")
	f.stream(ofContent(a))
	f.text("\r\n")
	f.files++
}

// finish ends the form.
func (f *form) finish() (Body, error) {
	f.text("--" + f.boundary + "--\r\n")
	return f.body("multipart/form-data; boundary=" + f.boundary)
}

// quote is a quoted-string with backslash escapes, which is how receivers read
// them; percent-encoding stays literal there.
func quote(s string) string {
	if !strings.ContainsAny(s, `\"`) {
		return `"` + s + `"`
	}
	b := make([]byte, 0, len(s)+8)
	for i := range len(s) {
		if s[i] == '\\' || s[i] == '"' {
			b = append(b, '\\')
		}
		b = append(b, s[i])
	}
	return `"` + string(b) + `"`
}

// fileName is the name under which an attachment is sent: a base name that a
// receiver doesn't drop. Django drops a file without one, silently.
func fileName(a *mail.Attachment, n int) string {
	name := path.Base(strings.ReplaceAll(text.OneLine(a.Filename), `\`, "/"))
	if strings.Trim(name, "./ ") == "" {
		return "attachment-" + strconv.Itoa(n) + extension(a.ContentType)
	}
	return name
}

func extension(contentType string) string {
	switch contentType {
	case "text/plain":
		return ".txt"
	case "text/html":
		return ".html"
	case "text/calendar":
		return ".ics"
	case "message/rfc822":
		return ".eml"
	case "image/png", "image/gif", "image/jpeg":
		return "." + strings.TrimPrefix(contentType, "image/")
	case "application/pdf":
		return ".pdf"
	default:
		return ".bin"
	}
}

// fileType is the type under which an attachment is sent. A message would be
// parsed and written anew, or refused for its octets; what is no type at all
// can't be parsed. Both go as plain octets.
func fileType(a *mail.Attachment) string {
	t, _, err := mime.ParseMediaType(a.ContentType)
	main, sub, _ := strings.Cut(t, "/")
	if err != nil || main == "" || sub == "" || main == "message" || main == "multipart" {
		return "application/octet-stream"
	}
	return t
}

// withOptions is the delivery as the endpoint wants it in a format that carries
// attachments in the body: ATTACHMENTS=omit leaves them out.
func withOptions(d Delivery, o Options) Delivery {
	if o.Attachments == Omit {
		m := *d.Message
		m.Attachments = nil
		d.Message = &m
	}
	return d
}

// files are the attachments to send one by one. Where there are more than
// receivers take, the last is the whole message, which holds the rest.
func files(d *Delivery) []mail.Attachment {
	list := d.Message.Attachments
	if len(list) <= maxFiles {
		return list
	}
	whole := mail.Attachment{
		Filename: "message.eml", ContentType: "message/rfc822", Disposition: "attachment",
		Size: d.Raw.Size(), Content: sourceContent{d.Raw},
	}
	return append(append([]mail.Attachment(nil), list[:maxFiles-1]...), whole)
}

// inline is the Content-ID of an inline part, "" of any other.
func inline(a *mail.Attachment) string {
	if a.Disposition != "inline" {
		return ""
	}
	return text.OneLine(a.ContentID)
}
