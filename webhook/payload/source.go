package payload

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io"

	"postern/gateway/mail"
)

// copyBuffer is the size of the pieces in which stored content is read.
const copyBuffer = 64 << 10

// writeSource writes a source's octets.
func writeSource(w io.Writer, src mail.Source) error {
	if b, ok := src.(mail.Bytes); ok {
		_, err := w.Write(b)
		return err
	}
	r, err := src.Open()
	if err != nil {
		return fmt.Errorf("open the stored message: %w", err)
	}
	defer r.Close()
	return copyAll(w, r, src.Size())
}

// copyAll copies r, which has about size octets: a mail may have very many small
// contents, for each of which a large buffer would cost more than itself. The
// writer's ReadFrom is hidden, since some take the whole into memory.
func copyAll(w io.Writer, r io.Reader, size int64) error {
	w = struct{ io.Writer }{w}
	if r, ok := r.(io.WriterTo); ok {
		_, err := r.WriteTo(w)
		return err
	}
	_, err := io.CopyBuffer(w, r, make([]byte, min(copyBuffer, size+1)))
	return err
}

// writeBase64 writes a source as one line of base64.
func writeBase64(w io.Writer, src mail.Source) error {
	enc := base64.NewEncoder(base64.StdEncoding, w)
	if err := writeSource(enc, src); err != nil {
		return err
	}
	return enc.Close()
}

// RawSum is the hex SHA-256 of a source.
func RawSum(src mail.Source) (string, error) {
	h := sha256.New()
	if err := writeSource(h, src); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// contentSum is the hex SHA-256 of an attachment's decoded octets.
func contentSum(a *mail.Attachment) (string, error) {
	r, err := a.Content.Open()
	if err != nil {
		return "", fmt.Errorf("open an attachment: %w", err)
	}
	defer r.Close()
	h := sha256.New()
	if err := copyAll(h, r, a.Size); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// sourceContent is a source as an attachment's content.
type sourceContent struct{ src mail.Source }

// Open implements mail.Content.
func (c sourceContent) Open() (io.ReadCloser, error) { return c.src.Open() }

// WriteBase64 implements mail.Content.
func (c sourceContent) WriteBase64(w io.Writer) error { return writeBase64(w, c.src) }
