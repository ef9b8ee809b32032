package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"postern/cmd/internal/app"
	"postern/cmd/internal/cli"
	"postern/gateway/archive"
	"postern/gateway/history"
	"postern/gateway/preview"
	"postern/gateway/reload"
	"postern/gateway/text"
	"postern/retry"
	"postern/webhook"
)

// post is the POST that is shown: of a delivery, out of the message that has it.
type post struct {
	message, endpoint string
	preview.Delivery
}

// showNext renders the POST that the next attempt would make, or would have been
// made once more of what was delivered and is kept.
func (q *queueCommand) showNext(ctx context.Context) error {
	i, err := q.findPost(ctx, q.args[0])
	if err != nil {
		return err
	}
	router, err := q.cfg.Router(reload.Deps{})
	if err != nil {
		return err
	}
	ep := router.Endpoint(i.endpoint)
	if ep == nil {
		return fmt.Errorf("this environment has no endpoint %s: set the POSTERN_WEBHOOK_… variables of your gateway", i.endpoint)
	}
	sender, err := app.NewSender(q.cfg, app.Deps{Version: versionString()})
	if err != nil {
		return err
	}
	defer sender.Close()
	m, err := q.openAnywhere(ctx, i.message)
	if err != nil {
		return err
	}
	defer m.Close()
	if len(archive.Recipients(m.Envelope, i.Recipients)) == 0 { // the history shows addresses in part
		i.Recipients = nil
		for _, to := range m.Envelope.To {
			i.Recipients = append(i.Recipients, to.Address)
		}
	}
	p, err := preview.Of(sender, ep, m, i.Delivery, preview.Options{PublicURL: string(q.cfg.Delivery.PublicURL)})
	if err != nil {
		return err
	}
	if q.curl {
		return q.printCurl(i.ID, p)
	}
	fmt.Fprintf(q.s.Err, "%s %s\n", p.Method, text.Terminal(p.URL))
	for _, f := range preview.Fields(p) {
		fmt.Fprintln(q.s.Err, text.Terminal(f))
	}
	fmt.Fprintln(q.s.Err)
	return q.printBody(p)
}

// printBody prints the body's octets, or for a person what they say.
func (q *queueCommand) printBody(p *webhook.Preview) error {
	if !cli.Terminal(q.s.Out) {
		return p.Write(q.s.Out)
	}
	pretty, err := preview.Pretty(p, shownBody)
	if err == nil {
		_, err = fmt.Fprintln(q.s.Out, pretty)
	}
	return err
}

// shownBody is the octets of a body that a terminal gets.
const shownBody = 256 << 10

// printCurl writes the body to a file and prints the command that POSTs it.
func (q *queueCommand) printCurl(id string, p *webhook.Preview) error {
	file := q.body
	if file == "" {
		file = filepath.Base(id) + ".body"
	}
	if err := writeFile(file, p.Write); err != nil {
		return err
	}
	fmt.Fprintf(q.s.Err, "The body is in %s; put the values of your secrets in the place of [hidden].\n", file)
	_, err := fmt.Fprintln(q.s.Out, preview.Curl(p, file))
	return err
}

// writeFile replaces a file as a whole, never through a link that lies there.
func writeFile(path string, write func(io.Writer) error) error {
	f, err := os.CreateTemp(filepath.Dir(path), ".postern-*")
	if err != nil {
		return err
	}
	err = errors.Join(write(f), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		err = errors.Join(err, os.Remove(f.Name()))
	}
	return err
}

// openAnywhere opens a message of the queue, or one that is kept.
func (q *queueCommand) openAnywhere(ctx context.Context, id string) (*archive.Mail, error) {
	from := []archive.Messages{q.queue}
	if delivered, err := app.KeptBeside(ctx, q.cfg.Delivery); err == nil {
		defer delivered.Close()
		from = append(from, delivered)
	} else if !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	m, err := archive.Open(ctx, archive.Anywhere(from...), id)
	if errors.Is(err, archive.ErrNotFound) {
		return nil, fmt.Errorf("message %s isn't stored any more: POSTERN_KEEP keeps delivered mail for a while: %w", id, err)
	}
	return m, err
}

// findPost is the delivery of an id or of the beginning of one: in the queue, or of
// what the history knows to have been posted.
func (q *queueCommand) findPost(ctx context.Context, id string) (post, error) {
	info, _, err := retry.Find(ctx, q.queue, id)
	if err == nil {
		return post{info.MessageID, info.Endpoint, preview.Delivery{ID: info.ID, Attempt: info.Attempts + 1, Recipients: info.Recipients}}, nil
	}
	if !errors.Is(err, retry.ErrNotFound) {
		return post{}, err
	}
	var posts []post
	if h, none := openHistory(ctx, q.s); none == nil {
		defer h.Close()
		if posts, err = postsOf(ctx, h, id); err != nil {
			return post{}, err
		}
	}
	switch {
	case len(posts) == 0:
		return post{}, fmt.Errorf("no such delivery, in the queue or the history: %s (postern queue list and postern trace show the ids)", id)
	case len(posts) > 1:
		var ids []string
		for _, p := range posts {
			ids = append(ids, p.ID+" ("+text.Terminal(p.endpoint)+")")
		}
		return post{}, cli.Misuse("message %s was posted in %d deliveries; name one: %s", posts[0].message, len(posts), strings.Join(ids, ", "))
	}
	return posts[0], nil
}

// postsOf lists the deliveries that the history has for an id of a message, or the
// one whose own it is.
func postsOf(ctx context.Context, h history.Store, id string) ([]post, error) {
	r, err := h.Get(ctx, id)
	if errors.Is(err, history.ErrNotFound) {
		var some []history.Record
		if some, _, err = h.Find(ctx, history.Query{Words: id, Limit: 2}); err != nil || len(some) != 1 {
			return nil, err
		}
		r, err = h.Get(ctx, some[0].ID)
	}
	if err != nil {
		return nil, err
	}
	var all []post
	for _, a := range r.Attempts {
		if !a.Settles.Posted() || a.Settles == history.SettledDead {
			continue
		}
		all = slices.DeleteFunc(all, func(p post) bool { return p.ID == a.Delivery })
		all = append(all, post{r.ID, a.Endpoint, preview.Delivery{ID: a.Delivery, Attempt: a.N + 1, Recipients: a.To}})
	}
	if one := slices.IndexFunc(all, func(p post) bool { return strings.HasPrefix(p.ID, id) }); one >= 0 {
		return all[one : one+1], nil
	}
	return all, nil
}
