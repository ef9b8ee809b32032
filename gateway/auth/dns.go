package auth

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/miekg/dns"
	"golang.org/x/sync/singleflight"
)

const (
	askTimeout  = 2 * time.Second // for one server's answer
	askRounds   = 2               // how often each server is asked
	maxServers  = 3               // as the C library
	maxAliases  = 8               // CNAMEs followed
	ednsSize    = 1232            // octets of an answer over UDP (DNS flag day 2020)
	silentAfter = 3               // questions without any answer in a row, from which on the servers count as away
	probeEvery  = 2 * time.Second // how often servers that are away are asked
)

// errSilent is why nobody is asked for a while.
var errSilent = errors.New("the resolver doesn't answer; check POSTERN_DNS")

// Resolver asks recursive DNS servers and remembers their answers by their TTL.
// Every error is a *net.DNSError: IsNotFound for a name or a type that isn't
// there, else IsTemporary. Servers that are away cost a few questions their
// time-out; after that the answer is a temporary error at once, while one question
// now and then looks whether they are back.
type Resolver struct {
	servers []string
	local   bool // special-use names are answered here: nobody in the world has them
	now     func() time.Time
	cache   cache
	flights singleflight.Group
	ctx     context.Context // until Close
	cancel  context.CancelFunc
	running sync.WaitGroup
	silent  atomic.Int32 // questions in a row that nobody answered
	probe   atomic.Int64 // when the next one may be asked, Unix nanoseconds
}

// NewResolver returns a resolver over servers, each a host or host:port; without
// any it takes the system's.
func NewResolver(servers []string, now func() time.Time) (*Resolver, error) {
	r := &Resolver{now: now}
	r.ctx, r.cancel = context.WithCancel(context.Background())
	for _, s := range servers {
		if _, _, err := net.SplitHostPort(s); err != nil {
			s = net.JoinHostPort(strings.Trim(s, "[]"), "53")
		}
		r.servers = append(r.servers, s)
	}
	if len(r.servers) > 0 {
		return r, nil
	}
	r.local = true
	c, err := dns.ClientConfigFromFile("/etc/resolv.conf")
	if err != nil || len(c.Servers) == 0 {
		r.servers = []string{"127.0.0.1:53"} // as the C library
		return r, nil
	}
	for _, s := range c.Servers[:min(len(c.Servers), maxServers)] {
		r.servers = append(r.servers, net.JoinHostPort(s, c.Port))
	}
	return r, nil
}

// Close ends all questions and waits for that.
func (r *Resolver) Close() {
	r.cancel()
	r.running.Wait()
}

// specialUse are top-level names that are in no public DNS (RFC 6761, 6762, 7686,
// 9476): the system's resolvers needn't be asked.
var specialUse = []string{"example", "invalid", "test", "localhost", "local", "onion", "alt", "internal"}

// answer is what DNS says to a question.
type answer struct {
	records []dns.RR
	missing bool // the name itself doesn't exist (NXDOMAIN)
	ttl     time.Duration
}

// ask returns the records of a type, following aliases.
func (r *Resolver) ask(ctx context.Context, name string, qtype uint16) ([]dns.RR, error) {
	a, err := r.answer(ctx, name, qtype)
	switch {
	case err != nil:
		return nil, &net.DNSError{Err: err.Error(), Name: name, IsTemporary: true, IsTimeout: errors.Is(err, context.DeadlineExceeded)}
	case len(a.records) == 0:
		return nil, &net.DNSError{Err: "no such record", Name: name, IsNotFound: true}
	}
	return a.records, nil
}

// answer asks the cache, then the servers, once for all who want to know.
func (r *Resolver) answer(ctx context.Context, name string, qtype uint16) (answer, error) {
	name = strings.ToLower(escaped(name))
	if _, ok := dns.IsDomainName(name); !ok || len(name) > 254 || r.special(name) {
		return answer{missing: true}, nil
	}
	k := key{name, qtype}
	if a, ok := r.cache.get(k, r.now()); ok {
		return a, nil
	}
	r.running.Add(1)
	defer r.running.Done()
	done := r.flights.DoChan(fmt.Sprint(k), func() (any, error) {
		r.running.Add(1)
		defer r.running.Done()
		ctx, cancel := context.WithTimeout(r.ctx, Budget) // another may wait for it, too
		defer cancel()
		a, err := r.chase(ctx, name, qtype)
		if err == nil {
			r.cache.put(k, a, r.now())
		}
		return a, err
	})
	select {
	case <-ctx.Done():
		return answer{}, context.Cause(ctx)
	case res := <-done:
		a, _ := res.Val.(answer)
		return a, res.Err
	}
}

// escaped is a name in presentation format: SPF's macros make names of anything.
func escaped(name string) string {
	odd := func(c rune) bool { return c <= ' ' || c >= 0x7f || strings.ContainsRune(`"();@\`, c) }
	if strings.IndexFunc(name, odd) < 0 {
		return dns.Fqdn(name)
	}
	var b strings.Builder
	for i := 0; i < len(name); i++ {
		switch c := name[i]; {
		case c == ' ' || c > ' ' && c < 0x7f && odd(rune(c)):
			b.WriteByte('\\')
			b.WriteByte(c)
		case c < ' ' || c >= 0x7f:
			fmt.Fprintf(&b, "\\%03d", c)
		default:
			b.WriteByte(c)
		}
	}
	return dns.Fqdn(b.String())
}

func (r *Resolver) special(name string) bool {
	labels := dns.SplitDomainName(name)
	return r.local && len(labels) > 0 && slices.Contains(specialUse, labels[len(labels)-1])
}

// chase asks for a name and for what it is an alias of. Aliases that lead nowhere
// are the fault of their owner's servers, as a failure of them is.
func (r *Resolver) chase(ctx context.Context, name string, qtype uint16) (answer, error) {
	out := answer{ttl: maxTTL}
	seen := map[string]bool{name: true}
	for {
		asked := name
		m, err := r.query(ctx, asked, qtype)
		if err != nil {
			return answer{}, err
		}
		for {
			target := out.take(m, name, qtype)
			if len(out.records) > 0 {
				return out, nil
			}
			if target == "" {
				break
			}
			if seen[target] || len(seen) == maxAliases {
				return answer{}, errors.New("aliases that lead nowhere")
			}
			seen[target], name = true, target
		}
		if m.Rcode == dns.RcodeNameError || name == asked {
			out.missing, out.ttl = m.Rcode == dns.RcodeNameError, min(out.ttl, negativeTTL(m))
			return out, nil
		}
	}
}

// take adds the name's records of a type, or returns what it is an alias of.
func (a *answer) take(m *dns.Msg, name string, qtype uint16) (target string) {
	for _, rr := range m.Answer {
		h := rr.Header()
		if !strings.EqualFold(h.Name, name) {
			continue
		}
		if h.Rrtype == qtype {
			a.records = append(a.records, rr)
		} else if c, ok := rr.(*dns.CNAME); ok {
			target = strings.ToLower(c.Target)
		} else {
			continue
		}
		a.ttl = min(a.ttl, time.Duration(h.Ttl)*time.Second)
	}
	return target
}

// query asks one server after the other until one answers.
func (r *Resolver) query(ctx context.Context, name string, qtype uint16) (*dns.Msg, error) {
	if !r.mayAsk() {
		return nil, errSilent
	}
	q := new(dns.Msg).SetQuestion(name, qtype)
	q.SetEdns0(ednsSize, false)
	err, heard := errSilent, false
	for range askRounds {
		for _, server := range r.servers {
			var m *dns.Msg
			m, err = exchange(ctx, q, server)
			if err == nil && (m.Rcode == dns.RcodeSuccess || m.Rcode == dns.RcodeNameError) {
				r.silent.Store(0)
				return m, nil
			}
			if err == nil {
				heard, err = true, fmt.Errorf("the resolver says %s", dns.RcodeToString[m.Rcode])
			}
			if ctx.Err() != nil {
				break
			}
		}
		if ctx.Err() != nil {
			break
		}
	}
	if heard {
		r.silent.Store(0)
	} else if r.silent.Add(1) == silentAfter {
		r.probe.Store(r.now().Add(probeEvery).UnixNano())
	}
	return nil, err
}

// mayAsk reports whether a question is worth its time.
func (r *Resolver) mayAsk() bool {
	if r.silent.Load() < silentAfter {
		return true
	}
	now, at := r.now(), r.probe.Load()
	return now.UnixNano() >= at && r.probe.CompareAndSwap(at, now.Add(probeEvery).UnixNano())
}

// exchange asks one server by UDP, and by TCP for an answer that is too long.
func exchange(ctx context.Context, q *dns.Msg, server string) (*dns.Msg, error) {
	q = q.Copy()
	q.Id = dns.Id()
	for _, network := range []string{"udp", "tcp"} {
		c := dns.Client{Net: network, Timeout: askTimeout, UDPSize: ednsSize}
		m, _, err := c.ExchangeContext(ctx, q, server)
		if err != nil {
			return nil, err
		}
		if len(m.Question) != 1 || !strings.EqualFold(m.Question[0].Name, q.Question[0].Name) || m.Question[0].Qtype != q.Question[0].Qtype {
			return nil, errors.New("the resolver answers another question")
		}
		if !m.Truncated {
			return m, nil
		}
	}
	return nil, errors.New("the answer doesn't fit")
}
