package mail

import (
	"errors"
	"fmt"
	"io"
	"sort"

	"postern/gateway/mail/transfer"
)

// containerPiece is how much of a container is decoded at once, and so about
// how much is decoded in vain to reach a file inside.
const containerPiece = 1 << 10

// container is a leaf that holds files (a winmail.dat). Whoever reads it whole
// leaves checkpoints, from which the files inside are then reached without
// decoding what precedes them: a container of a thousand files is not read a
// thousand times.
type container struct {
	*leafContent
	checkpoints []checkpoint
}

// checkpoint is a place at which decoding can go on.
type checkpoint struct {
	encoded, decoded int64
	step             transfer.Decoder
}

func (c *container) piece() int { return min(containerPiece, pieceOf(c.end-c.off)) }

// scan reads the container from its start and leaves checkpoints.
func (c *container) scan() (io.ReadCloser, error) {
	if c.enc == transfer.Identity {
		return c.Open()
	}
	src, err := c.encoded()
	if err != nil {
		return nil, err
	}
	c.checkpoints = c.checkpoints[:0]
	note := func(encoded, decoded int64, d transfer.Decoder) {
		c.checkpoints = append(c.checkpoints, checkpoint{encoded, decoded, d.Clone()})
	}
	return &decodingReader{src: src, step: c.enc.Decoder(), in: make([]byte, c.piece()), seen: note}, nil
}

// openAt reads from a decoded offset that scan has passed.
func (c *container) openAt(off int64) (io.ReadCloser, error) {
	from := *c.leafContent
	if c.enc == transfer.Identity {
		from.off = min(from.off+off, from.end)
		return from.Open()
	}
	i := sort.Search(len(c.checkpoints), func(i int) bool { return c.checkpoints[i].decoded > off }) - 1
	if i < 0 {
		return nil, errors.New("a container of attachments was not read before its files")
	}
	at := c.checkpoints[i]
	from.off += at.encoded
	src, err := from.encoded()
	if err != nil {
		return nil, err
	}
	r := &decodingReader{src: src, step: at.step.Clone(), in: make([]byte, c.piece())}
	if _, err := io.CopyN(io.Discard, r, off-at.decoded); err != nil {
		r.Close()
		return nil, fmt.Errorf("skip to an attachment in its container: %w", err)
	}
	return r, nil
}

// partContent is a stretch of a container's decoded octets.
type partContent struct {
	in   *container
	off  int64
	size int64
}

// Open implements Content.
func (c *partContent) Open() (io.ReadCloser, error) {
	r, err := c.in.openAt(c.off)
	if err != nil {
		return nil, err
	}
	return &section{f: r, left: c.size}, nil
}

// WriteBase64 implements Content.
func (c *partContent) WriteBase64(w io.Writer) error { return encodeContent(c, c.size, w) }
