package app

import (
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"time"

	"postern/cmd/internal/config"
	"postern/gateway/smtp"
)

// listener is a net.Listener and what is spoken there.
type listener struct {
	net.Listener
	name     string // of its variable: SMTP_ADDR …
	protocol smtp.Protocol
}

// listen opens every listener that is on.
func (a *App) listen() error {
	for _, want := range []struct {
		name     string
		addr     config.Addr
		protocol smtp.Protocol
	}{
		{"SMTP_ADDR", a.cfg.Listen.SMTPAddr, smtp.SMTP},
		{"SMTPS_ADDR", a.cfg.Listen.SMTPSAddr, smtp.SMTPS},
		{"LMTP_ADDR", a.cfg.Listen.LMTPAddr, smtp.LMTP},
	} {
		if want.addr == "" {
			continue
		}
		l, err := listen(want.addr, os.FileMode(a.cfg.Listen.LMTPMode))
		if err != nil {
			return fmt.Errorf("%s%s: %w", config.Prefix, want.name, err)
		}
		a.onClose(want.name, func() error { return ignoreClosed(l.Close()) })
		a.listeners = append(a.listeners, listener{l, want.name, want.protocol})
	}
	if a.cfg.Listen.HTTPAddr == "" {
		return nil
	}
	l, err := listen(a.cfg.Listen.HTTPAddr, 0)
	if err != nil {
		return fmt.Errorf("%sHTTP_ADDR: %w", config.Prefix, err)
	}
	a.onClose("HTTP_ADDR", func() error { return ignoreClosed(l.Close()) })
	a.http = l
	return nil
}

// listen opens a TCP or unix listener; a socket file that nobody listens on
// any more is replaced, and the new one gets the mode, whatever the umask is:
// who may come near is up to its folder.
func listen(addr config.Addr, mode os.FileMode) (net.Listener, error) {
	path, unix := strings.CutPrefix(string(addr), "unix:")
	if !unix {
		return net.Listen("tcp", string(addr))
	}
	if c, err := net.DialTimeout("unix", path, time.Second); err == nil {
		c.Close()
		return nil, fmt.Errorf("%s is in use by another process", path)
	}
	if info, err := os.Lstat(path); err == nil && info.Mode()&os.ModeSocket != 0 {
		if err := os.Remove(path); err != nil {
			return nil, err
		}
	}
	l, err := net.Listen("unix", path)
	if err != nil {
		return nil, err
	}
	if err := os.Chmod(path, mode); err != nil {
		return nil, errors.Join(err, l.Close())
	}
	return l, nil
}

func ignoreClosed(err error) error {
	if errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}
