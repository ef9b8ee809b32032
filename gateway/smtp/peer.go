package smtp

import (
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"
)

// peer is the other end once it has become the server: the small client side
// of the engine. It uses the session's buffers and clocks.
type peer struct {
	s   *session
	ext map[string]string // what EHLO offered: keyword and parameters
}

// peerReply is a reply as a client reads it.
type peerReply struct {
	code  int
	text  string   // in one line
	lines []string // without codes
}

// maxPeerLines bounds a reply of a peer that never ends one.
const maxPeerLines = 200

// reply reads one.
func (p *peer) reply() (r peerReply, err error) {
	for range maxPeerLines {
		line, err := p.s.readLine()
		if err != nil {
			return r, err
		}
		if len(line) < 3 || (len(line) > 3 && line[3] != ' ' && line[3] != '-') {
			return r, fmt.Errorf("smtp: the peer doesn't answer in SMTP: %.80q", line)
		}
		code, ok := parseNumber(line[:3])
		if !ok || code < 200 || code > 599 || (r.code != 0 && int(code) != r.code) {
			return r, fmt.Errorf("smtp: the peer doesn't answer in SMTP: %.80q", line)
		}
		r.code = int(code)
		r.lines = append(r.lines, string(line[min(4, len(line)):]))
		if len(line) == 3 || line[3] == ' ' {
			r.text = strings.Join(r.lines, " ")
			return r, nil
		}
	}
	return r, errors.New("smtp: the peer's reply never ends")
}

// command sends a line and reads the reply.
func (p *peer) command(line string) (peerReply, error) {
	if err := p.write([]byte(line + "\r\n")); err != nil {
		return peerReply{}, err
	}
	return p.reply()
}

// Write lets the peer be copied to.
func (p *peer) Write(b []byte) (int, error) { return len(b), p.write(b) }

func (p *peer) write(b []byte) error {
	_ = p.s.raw.SetWriteDeadline(time.Now().Add(p.s.srv.cfg.WriteTimeout))
	_, err := p.s.conn.Write(b)
	return err
}

// hello reads the peer's greeting and asks what it can do.
func (p *peer) hello() error {
	r, err := p.reply()
	if err == nil && r.code != 220 {
		err = fmt.Errorf("smtp: the peer greets with %d %s", r.code, r.text)
	}
	if err != nil {
		return err
	}
	if r, err = p.command("EHLO " + p.s.srv.cfg.Domain); err != nil {
		return err
	}
	if r.code == 250 {
		p.ext = extensionsOf(r.lines)
		return nil
	}
	if r, err = p.command("HELO " + p.s.srv.cfg.Domain); err == nil && r.code != 250 {
		err = fmt.Errorf("smtp: the peer answers HELO with %d %s", r.code, r.text)
	}
	return err
}

func extensionsOf(lines []string) map[string]string {
	ext := map[string]string{}
	for _, line := range lines[1:] {
		word, rest, _ := strings.Cut(line, " ")
		ext[strings.ToUpper(word)] = rest
	}
	return ext
}

// deliver sends a mail and returns the reply that decides it: the first that
// refuses, or the one to its last octet.
func (p *peer) deliver(w *Waiting, src io.Reader) (peerReply, error) {
	r, err := p.command(p.mailLine(w))
	if err != nil || r.code >= 300 {
		return r, err
	}
	for _, to := range w.Recipients {
		if r, err = p.command("RCPT TO:<" + to.String() + ">"); err != nil || r.code >= 300 {
			return p.abandon(r, err)
		}
	}
	if w.Binary || w.BareLF {
		return p.chunk(src, w.Size)
	}
	return p.data(src)
}

// abandon resets the peer's transaction and returns the reply that ended it.
func (p *peer) abandon(r peerReply, err error) (peerReply, error) {
	if err == nil && r.code != 421 {
		_, err = p.command("RSET")
	}
	return r, err
}

func (p *peer) mailLine(w *Waiting) string {
	line := "MAIL FROM:<" + w.From.String() + ">"
	if _, ok := p.ext["SIZE"]; ok && w.Size > 0 {
		line += " SIZE=" + strconv.FormatInt(w.Size, 10)
	}
	switch {
	case w.Binary:
		line += " BODY=BINARYMIME"
	case w.EightBit:
		line += " BODY=8BITMIME"
	}
	if w.UTF8 {
		line += " SMTPUTF8"
	}
	if w.RequireTLS {
		line += " REQUIRETLS"
	}
	return line
}

// data sends the content by DATA. Whatever breaks on the way leaves the
// message without its end, and the connection of no use.
func (p *peer) data(src io.Reader) (peerReply, error) {
	r, err := p.command("DATA")
	if err != nil || r.code != 354 {
		if err == nil && r.code < 400 {
			err = fmt.Errorf("smtp: the peer answers DATA with %d", r.code)
		}
		return p.abandon(r, err)
	}
	w := &stuffer{out: p}
	if _, err := io.CopyBuffer(onlyWriter{w}, onlyReader{src}, make([]byte, largeBuffer)); err != nil {
		return r, err
	}
	if err := w.finish(); err != nil {
		return r, err
	}
	return p.reply()
}

// chunk sends the content by BDAT, in one piece.
func (p *peer) chunk(src io.Reader, size int64) (peerReply, error) {
	if err := p.write([]byte("BDAT " + strconv.FormatInt(size, 10) + " LAST\r\n")); err != nil {
		return peerReply{}, err
	}
	n, err := io.CopyBuffer(onlyWriter{p}, io.LimitReader(src, size), make([]byte, largeBuffer))
	if err == nil && n < size {
		err = io.ErrUnexpectedEOF
	}
	if err != nil {
		return peerReply{}, err
	}
	return p.reply()
}

// onlyWriter hides a writer's other methods from io.CopyBuffer.
type onlyWriter struct{ io.Writer }

// stuffer doubles the dots that begin a line (RFC 5321 section 4.5.2).
type stuffer struct {
	out    io.Writer
	inLine bool // the last octet written did not end a line
	last   byte // the octet before it matters only where it is CR
}

func (d *stuffer) Write(p []byte) (int, error) {
	start := 0
	for i, c := range p {
		if c == '.' && !d.inLine {
			if _, err := d.out.Write(p[start:i]); err != nil {
				return start, err
			}
			if _, err := d.out.Write(endOfData[:1]); err != nil {
				return start, err
			}
			start = i
		}
		d.inLine = c != '\n' || d.last != '\r'
		d.last = c
	}
	if _, err := d.out.Write(p[start:]); err != nil {
		return start, err
	}
	return len(p), nil
}

// finish writes the end of data, behind a line end.
func (d *stuffer) finish() error {
	end := endOfData
	if d.inLine {
		end = append([]byte("\r\n"), endOfData...)
	}
	_, err := d.out.Write(end)
	return err
}
