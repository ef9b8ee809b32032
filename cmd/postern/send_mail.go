package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/emersion/go-message"
	_ "github.com/emersion/go-message/charset" // names in whatever charset
	"github.com/emersion/go-message/mail"
	"github.com/emersion/go-message/textproto"

	"postern/gateway/smtp/client"
	"postern/gateway/text"
)

// outgoing is a mail to send.
type outgoing struct {
	name     string
	from     string
	to       []string
	size     int64
	eightBit bool // an octet over 127 somewhere
	utf8     bool // one in the header or in an address: needs SMTPUTF8
	open     func() (io.ReadCloser, error)
}

// message is the mail as the client sends it.
func (m *outgoing) message() *client.Message {
	return &client.Message{From: m.from, To: m.to, Size: m.size, EightBit: m.eightBit, UTF8: m.utf8, Write: func(w io.Writer) error {
		in, err := m.open()
		if err != nil {
			return err
		}
		defer in.Close()
		_, err = io.Copy(w, in)
		return err
	}}
}

// findMails lists the mails that the arguments name: files, and the .eml files
// of folders.
func findMails(args []string) ([]string, error) {
	var paths []string
	for _, arg := range args {
		info, err := os.Stat(arg)
		if err != nil {
			return nil, err
		}
		if !info.IsDir() {
			paths = append(paths, arg)
			continue
		}
		before := len(paths)
		err = filepath.WalkDir(arg, func(path string, d fs.DirEntry, err error) error {
			if err == nil && d.Type().IsRegular() && strings.EqualFold(filepath.Ext(path), ".eml") {
				paths = append(paths, path)
			}
			return err
		})
		if err != nil {
			return nil, err
		}
		if len(paths) == before {
			return nil, fmt.Errorf("%s holds no .eml file", arg)
		}
	}
	return paths, nil
}

// fileMail prepares a file; "" and nil take the envelope from its header.
func fileMail(path, from string, to []string) (*outgoing, error) {
	m := &outgoing{name: path, from: from, to: to, open: func() (io.ReadCloser, error) { return os.Open(path) }}
	return m, m.inspect()
}

// bytesMail prepares a mail in memory.
func bytesMail(name string, content []byte, from string, to []string) (*outgoing, error) {
	m := &outgoing{name: name, from: from, to: to, open: func() (io.ReadCloser, error) {
		return io.NopCloser(bytes.NewReader(content)), nil
	}}
	return m, m.inspect()
}

// headerMax bounds what is read of a mail to find its addresses.
const headerMax = 1 << 20

// inspect finds the size, the octets over 127, and the envelope where it isn't
// given.
func (m *outgoing) inspect() error {
	body, err := m.open()
	if err != nil {
		return err
	}
	defer body.Close()
	r := bufio.NewReaderSize(body, 64<<10)
	header, err := readHeader(r)
	if err != nil {
		return err
	}
	t := new(tally)
	t.Write(header)
	if _, err := io.Copy(t, r); err != nil {
		return err
	}
	m.size, m.eightBit, m.utf8 = t.size, t.eightBit, !text.IsASCII(header)
	return m.envelope(header)
}

// tally counts a mail's octets as they will be on the wire, lines ended by CRLF.
type tally struct {
	size     int64
	eightBit bool
	last     byte
}

func (t *tally) Write(p []byte) (int, error) {
	for _, c := range p {
		if c == '\n' && t.last != '\r' {
			t.size++
		}
		t.last = c
	}
	t.size += int64(len(p))
	t.eightBit = t.eightBit || !text.IsASCII(p)
	return len(p), nil
}

func readHeader(r *bufio.Reader) ([]byte, error) {
	var header []byte
	for len(header) < headerMax {
		line, err := r.ReadSlice('\n')
		header = append(header, line...)
		if err == io.EOF || len(bytes.TrimRight(line, "\r\n")) == 0 {
			return header, nil
		}
		if err != nil && err != bufio.ErrBufferFull {
			return nil, err
		}
	}
	return header, nil
}

// envelope takes the addresses from the header where they weren't given, and
// looks whether they need SMTPUTF8.
func (m *outgoing) envelope(header []byte) error {
	if m.from == "" || len(m.to) == 0 {
		fields, err := textproto.ReadHeader(bufio.NewReader(bytes.NewReader(append(bytes.TrimRight(header, "\r\n"), "\r\n\r\n"...))))
		if err != nil {
			return fmt.Errorf("%s has no header that could be read: name the addresses with --from and --to: %w", m.name, err)
		}
		h := mail.Header{Header: message.Header{Header: fields}}
		if m.from == "" {
			m.from = firstAddress(h, "Return-Path", "Sender", "From")
		}
		if len(m.to) == 0 {
			m.to = allAddresses(h, "To", "Cc", "Bcc")
		}
	}
	if len(m.to) == 0 {
		return errors.New(m.name + " names no recipient: add --to ADDRESS")
	}
	if m.from == "<>" {
		m.from = ""
	}
	m.utf8 = m.utf8 || !text.IsASCII([]byte(m.from+strings.Join(m.to, "")))
	return nil
}

func firstAddress(h mail.Header, fields ...string) string {
	for _, f := range fields {
		if all := allAddresses(h, f); len(all) > 0 {
			return all[0]
		}
	}
	return ""
}

func allAddresses(h mail.Header, fields ...string) []string {
	var all []string
	for _, f := range fields {
		list, err := h.AddressList(f)
		if err != nil {
			continue
		}
		for _, a := range list {
			if !slices.Contains(all, a.Address) {
				all = append(all, a.Address)
			}
		}
	}
	return all
}
