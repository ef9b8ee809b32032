package metrics

import (
	"slices"
	"strconv"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"

	"postern/gateway/smtp"
)

// smtpMetrics implements smtp.Observer.
type smtpMetrics struct {
	active   prometheus.Gauge
	sessions map[smtp.End]prometheus.Counter
	replies  *prometheus.CounterVec       // verb, code
	usual    map[reply]prometheus.Counter // those of verbCodes: found without allocating
	events   map[smtp.Event]prometheus.Counter
	signIns  map[smtp.SignIn]prometheus.Counter
}

type reply struct {
	verb string
	code int
}

// SMTP is the observer of the SMTP server.
func (m *Metrics) SMTP() smtp.Observer { return &m.smtp }

// verbCodes are the replies that each verb usually gets; those series exist
// from the start. Both labels are closed: smtp names every other verb UNKNOWN,
// and codes are those of RFC 5321.
var verbCodes = map[string][]int{
	"CONNECT":     {220, 421, 554},
	"HELO":        {250, 501, 503},
	"EHLO":        {250, 501, 503},
	"LHLO":        {250, 501, 503},
	"MAIL":        {250, 451, 452, 501, 503, 530, 550, 552, 553, 555},
	"SEND":        {250, 451, 501, 502, 503},
	"SOML":        {250, 451, 501, 502, 503},
	"SAML":        {250, 451, 501, 502, 503},
	"RCPT":        {250, 251, 450, 451, 452, 501, 503, 550, 551, 552, 553, 555},
	"DATA":        {354, 421, 451, 452, 503, 554},
	"BDAT":        {250, 421, 451, 452, 501, 503, 552, 554},
	"END-OF-DATA": {250, 421, 450, 451, 452, 550, 551, 552, 553, 554},
	"RSET":        {250},
	"NOOP":        {250},
	"QUIT":        {221},
	"VRFY":        {250, 251, 252, 450, 501, 550, 551, 553},
	"EXPN":        {250, 252, 450, 501, 502, 550},
	"HELP":        {211, 214, 504},
	"AUTH":        {235, 334, 421, 454, 501, 503, 504, 535, 538},
	"STARTTLS":    {220, 454, 501, 502, 503},
	"TURN":        {250, 502, 503},
	"UNKNOWN":     {421, 500, 554},
}

func newSMTPMetrics(f promauto.Factory) smtpMetrics {
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		return f.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, labels)
	}
	s := smtpMetrics{
		active:   f.NewGauge(prometheus.GaugeOpts{Name: "postern_smtp_sessions_active", Help: "SMTP and LMTP connections open now."}),
		replies:  counter("postern_smtp_replies_total", "Replies by command and code; END-OF-DATA is the reply to a message.", "verb", "code"),
		usual:    map[reply]prometheus.Counter{},
		sessions: series(counter("postern_smtp_sessions_total", "Sessions that ended, by why.", "result"), smtp.Ends()),
		events:   series(counter("postern_smtp_events_total", "What clients did that is no reply of its own, such as bare line feeds and early talk.", "event"), smtp.Events()),
		signIns:  series(counter("postern_smtp_sign_ins_total", "Attempts to sign in (AUTH) by how they ended; wrong is a user or password.", "result"), smtp.SignIns()),
	}
	for verb, codes := range verbCodes {
		for _, c := range codes {
			s.usual[reply{verb, c}] = s.replies.WithLabelValues(verb, strconv.Itoa(c))
		}
	}
	return s
}

// series are a counter's, one for each value of a closed set.
func series[T interface {
	comparable
	String() string
}](v *prometheus.CounterVec, set []T) map[T]prometheus.Counter {
	m := make(map[T]prometheus.Counter, len(set))
	for _, t := range set {
		m[t] = v.WithLabelValues(t.String())
	}
	return m
}

// SessionStarted implements smtp.Observer.
func (s *smtpMetrics) SessionStarted(*smtp.Client) { s.active.Inc() }

// Replied implements smtp.Observer.
func (s *smtpMetrics) Replied(_ *smtp.Client, verb string, code int) {
	if c, ok := s.usual[reply{verb, code}]; ok {
		c.Inc()
		return
	}
	if _, ok := verbCodes[verb]; !ok {
		verb = "UNKNOWN"
	}
	s.replies.WithLabelValues(verb, codeLabel(code)).Inc()
}

// Happened implements smtp.Observer.
func (s *smtpMetrics) Happened(_ *smtp.Client, e smtp.Event) { s.events[e].Inc() }

// SignedIn implements smtp.Observer.
func (s *smtpMetrics) SignedIn(_ *smtp.Client, how smtp.SignIn) { s.signIns[how].Inc() }

// SessionEnded implements smtp.Observer.
func (s *smtpMetrics) SessionEnded(_ *smtp.Client, end smtp.End) {
	s.active.Dec()
	s.sessions[end].Inc()
}

// codes are all that we answer (RFC 5321 section 4.2.3, RFC 4954, RFC 3207).
var codes = []int{211, 214, 220, 221, 235, 250, 251, 252, 334, 354, 421, 450, 451, 452, 454, 455,
	500, 501, 502, 503, 504, 521, 523, 530, 534, 535, 538, 550, 551, 552, 553, 554, 555, 556}

// codeLabel keeps the label closed whatever a webhook asked for: any other
// code counts as its class's first.
func codeLabel(code int) string {
	if slices.Contains(codes, code) {
		return strconv.Itoa(code)
	}
	return strconv.Itoa(code / 100 * 100)
}
