// Package config is the operator's configuration: environment variables with
// the prefix POSTERN_, nothing else.
//
// One table of settings, the tagged fields of Config, feeds everything: Load
// reads and checks the environment by it, Write prints what is in effect,
// WriteTable writes the documents' table. A mistake is never passed over: Load
// names every variable that is unknown, can't be read or doesn't fit the
// others, all at once and with what would be valid, and shows no secret.
package config

import "time"

// Config is the whole configuration. It is plain data; Load fills and checks
// it. The doc tag is the variable's line in the documents' table; oneof lists the
// words a variable takes; secret:"yes" hides the value and adds a …_FILE
// variable.
type Config struct {
	Listen    Listen    `group:"Listeners"`
	TLS       TLS       `group:"TLS and AUTH"`
	SMTP      SMTP      `group:"SMTP" envPrefix:"SMTP_"`
	Directory Directory `group:"Recipients"`
	Webhook   Webhook   `group:"An endpoint" envPrefix:"WEBHOOK_"`
	Webhooks  []Webhook `envPrefix:"WEBHOOK_"`
	Delivery  Delivery  `group:"Delivery and queue"`
	Sender    Sender    `group:"Sender authentication"`
	Process   Process   `group:"Process"`
}

// Listen says where clients reach us.
type Listen struct {
	Domain    string   `env:"DOMAIN" default:"the host name" doc:"our name in the greeting, in Received lines and in Authentication-Results"`
	SMTPAddr  Addr     `env:"SMTP_ADDR" envDefault:":2525" doc:"SMTP listener, host:port; off for none"`
	SMTPSAddr Addr     `env:"SMTPS_ADDR" doc:"SMTP listener with TLS from the first octet"`
	LMTPAddr  Addr     `env:"LMTP_ADDR" doc:"LMTP listener, host:port or unix:/path"`
	LMTPMode  FileMode `env:"LMTP_MODE" envDefault:"0666" doc:"permissions of a unix socket, in octal: any local process may deliver, its folder decides who gets there"`
	HTTPAddr  Addr     `env:"HTTP_ADDR" envDefault:":8080" doc:"health, metrics, API, operator's page and attachments; off for none"`
	ProxyFrom Networks `env:"PROXY_FROM" doc:"networks whose connections begin with a PROXY protocol header (v1 or v2)"`
}

// TLS is the server's certificate and who may sign in.
type TLS struct {
	CertFile     string `env:"TLS_CERT_FILE" doc:"certificate chain, PEM; read again when it changes"`
	KeyFile      string `env:"TLS_KEY_FILE" doc:"its private key, PEM"`
	Mode         string `env:"TLS_MODE" oneof:"off offer require" default:"offer with a certificate, else off" doc:"STARTTLS: off, offer, or require before MAIL"`
	ClientCAFile string `env:"TLS_CLIENT_CA_FILE" doc:"authorities for client certificates, PEM; read again when it changes"`
	UsersFile    string `env:"USERS_FILE" doc:"who may sign in: name:record a line, bcrypt or SCRAM-SHA-256; read again when it changes"`
	AuthRequired bool   `env:"AUTH_REQUIRED" envDefault:"false" doc:"MAIL needs AUTH first"`
}

// SMTP bounds sessions and turns commands on.
type SMTP struct {
	MaxSize                 Size          `env:"MAX_SIZE" envDefault:"50MiB" min:"1" doc:"largest message; a larger one is answered 552"`
	MaxRecipients           int           `env:"MAX_RECIPIENTS" envDefault:"1000" min:"100" doc:"recipients of one message; more are answered 452"`
	MaxConnections          int           `env:"MAX_CONNECTIONS" envDefault:"1000" min:"1" doc:"connections at once; more are answered 421"`
	MaxConnectionsPerClient int           `env:"MAX_CONNECTIONS_PER_CLIENT" envDefault:"50" min:"0" doc:"connections at once from one IPv4 address or IPv6 /64; 0 for no bound"`
	Timeout                 time.Duration `env:"TIMEOUT" envDefault:"5m" doc:"longest wait for a client's next command or data; then 421"`
	SessionTimeout          time.Duration `env:"SESSION_TIMEOUT" envDefault:"1h" doc:"longest session; then 421"`
	MinDataRate             Size          `env:"MIN_DATA_RATE" envDefault:"500" doc:"octets a second that a message must come in with, after its first minutes; else 421; 0 for any"`
	MaxHeader               Size          `env:"MAX_HEADER" envDefault:"0" doc:"largest header of a message; a larger one is answered 552; 0 for no bound but MAX_SIZE"`
	MaxReceived             int           `env:"MAX_RECEIVED" envDefault:"50" min:"1" doc:"Received lines from which a message is in a loop: 554"`
	MaxMessages             int           `env:"MAX_MESSAGES" envDefault:"0" min:"0" doc:"messages of one session, then 421; 0 for no bound"`
	MaxErrors               int           `env:"MAX_ERRORS" envDefault:"15" min:"1" doc:"commands of one session answered 5xx, then 421"`
	MaxRefused              int           `env:"MAX_REFUSED" envDefault:"20" min:"1" doc:"recipients of one session answered 5xx, then 421"`
	MaxJunk                 int           `env:"MAX_JUNK" envDefault:"100" min:"1" doc:"commands without a message between, then 421"`
	MaxAuthFailures         int           `env:"MAX_AUTH_FAILURES" envDefault:"3" min:"1" doc:"failed sign-ins of one session, then 421"`
	GreetDelay              time.Duration `env:"GREET_DELAY" envDefault:"0s" min:"0" doc:"how long the greeting waits for clients that talk first, which are answered 554"`
	BareLF                  string        `env:"BARE_LF" oneof:"normalize reject" envDefault:"normalize" doc:"a line end inside DATA that isn't CRLF: make it one, or reject the message; only CRLF.CRLF ends DATA in either mode"`
	Strict                  bool          `env:"STRICT" envDefault:"false" doc:"refuse what devices send and nobody can misunderstand: paths without brackets or with blanks inside them, a sender without a domain, a dot behind a domain, odd dots in a recipient, AUTH= where AUTH is off, a blank before a command"`
	Legacy                  bool          `env:"LEGACY" envDefault:"false" doc:"SEND, SOML and SAML (RFC 821)"`
	Turn                    bool          `env:"TURN" envDefault:"false" doc:"TURN (RFC 821) for users who may collect"`
	Vrfy                    bool          `env:"VRFY" envDefault:"false" doc:"VRFY asks the directory"`
	Expn                    bool          `env:"EXPN" envDefault:"false" doc:"EXPN asks the directory"`
	OneEndpoint             bool          `env:"ONE_ENDPOINT" envDefault:"false" doc:"a recipient for another endpoint than the first one's is answered 452: every transaction has one exact answer"`
}

// Directory says who is a recipient.
type Directory struct {
	Recipients List   `env:"RECIPIENTS" default:"what the endpoints match" doc:"accepted addresses: sales@in.example.com, *@in.example.com, support+*@in.example.com"`
	URL        URL    `env:"DIRECTORY_URL" doc:"webhook that is asked at RCPT, VRFY and EXPN"`
	Secret     Secret `env:"DIRECTORY_SECRET" secret:"yes" doc:"signs its requests, whsec_…; two, separated by a space, while it is rotated"`
}

// Webhook is one endpoint. The unnumbered one is last and the catch-all.
type Webhook struct {
	URL            URL           `env:"URL" doc:"where mail is POSTed; all that must be set"`
	Name           string        `env:"NAME" default:"default, or webhook-<n>" doc:"name in ids, logs, metrics and the queue; keep it when the URL changes"`
	Match          List          `env:"MATCH" default:"*" doc:"recipients: sales@in.example.com (with any tag), *@in.example.com, support+*@in.example.com, sales@*, *; separated by commas"`
	Copy           bool          `env:"COPY" envDefault:"false" doc:"takes a copy; matching goes on"`
	Format         string        `env:"FORMAT" oneof:"postern raw postmark sendgrid sendgrid-raw mailgun mailgun-mime mandrill cloudmailin ses-sns cloudevents" envDefault:"postern" doc:"shape of the POST"`
	Secret         Secret        `env:"SECRET" secret:"yes" doc:"signing secret, whsec_… for the native format; two, separated by a space, while it is rotated"`
	Token          Secret        `env:"TOKEN" secret:"yes" doc:"bearer token"`
	Username       string        `env:"USERNAME" doc:"basic authentication"`
	Password       Secret        `env:"PASSWORD" secret:"yes" doc:"its password"`
	Headers        Headers       `env:"HEADERS" secret:"yes" doc:"more request headers, Name: value, one a line"`
	Timeout        time.Duration `env:"TIMEOUT" envDefault:"10s" doc:"from the last octet of the request to the answer's header, while the sender waits"`
	RetryTimeout   time.Duration `env:"RETRY_TIMEOUT" envDefault:"60s" doc:"the same for attempts from the queue"`
	Concurrency    int           `env:"CONCURRENCY" default:"64 to 1000, as the endpoint takes them" min:"1" doc:"requests at once; without a number they grow while its answers stay fast, and fall back when these slow down or fail"`
	MaxQueued      int64         `env:"MAX_QUEUED" envDefault:"0" min:"0" doc:"deliveries that may wait for it; then 452 to what must wait, to its mail alone; 0: the queue's bounds alone"`
	MaxQueuedBytes Size          `env:"MAX_QUEUED_BYTES" envDefault:"0" min:"0" doc:"octets of mail that may wait for it; the same"`
	Reject         Statuses      `env:"REJECT" doc:"more statuses that reject mail for good: 404,422 or 4xx"`
	Defer          bool          `env:"DEFER" envDefault:"true" doc:"false leaves a transient failure with the sender (451) instead of queueing it"`
	Require        string        `env:"REQUIRE" oneof:"verified" doc:"verified: only mail whose From is proven, or whose sender signed in; other mail is answered 550 and not POSTed"`
	AllowFrom      List          `env:"ALLOW_FROM" doc:"who may write: patterns of proven From addresses; implies REQUIRE=verified"`
	Terminal       bool          `env:"TERMINAL" envDefault:"false" doc:"a live channel: takes SEND, SOML and SAML, never MAIL"`
	Attachments    string        `env:"ATTACHMENTS" oneof:"inline url omit" envDefault:"inline" doc:"how their content travels"`
	Raw            string        `env:"RAW" oneof:"omit inline url" envDefault:"omit" doc:"how the raw message travels"`
	InlineLimit    Size          `env:"INLINE_LIMIT" envDefault:"5MiB" doc:"request body above which content turns into urls, where PUBLIC_URL is set; 0 never"`
	Markdown       bool          `env:"MARKDOWN" envDefault:"false" doc:"message.markdown: the mail as Markdown, for agents and search"`
	Signals        bool          `env:"SIGNALS" envDefault:"false" doc:"message.signals: what the mail hides or disguises"`
	ReplyMarker    string        `env:"REPLY_MARKER" doc:"words of the line that your application puts above what it writes: a reply is what stands above it"`
	CAFile         string        `env:"CA_FILE" doc:"authorities for the endpoint's certificate, PEM; read again when it changes"`
	CertFile       string        `env:"CERT_FILE" doc:"our client certificate, PEM; read again when it changes"`
	KeyFile        string        `env:"KEY_FILE" doc:"its private key, PEM"`
}

// Delivery is the retry queue and what surrounds it.
type Delivery struct {
	Accept      string        `env:"ACCEPT" oneof:"webhook queue" envDefault:"webhook" doc:"webhook: ask it while the sender waits; queue: store first, answer 250, deliver then"`
	Store       Store         `env:"RETRY_STORE" secret:"yes" default:"sqlite:///var/lib/postern, or ./postern-data where that can't be written" doc:"sqlite:// and a folder, postgres://…, or off"`
	BodyStore   BodyStore     `env:"BODY_STORE" doc:"s3://bucket/prefix: bodies above 64 KiB lie there instead of in the store; address, region and credentials by AWS_ENDPOINT_URL, AWS_REGION, AWS_ACCESS_KEY_ID … as everywhere"`
	RetryFirst  time.Duration `env:"RETRY_FIRST" envDefault:"5s" doc:"delay before the second attempt; it triples from there"`
	RetryMax    time.Duration `env:"RETRY_MAX_DELAY" envDefault:"1h" doc:"longest delay"`
	RetryMaxAge time.Duration `env:"RETRY_MAX_AGE" envDefault:"72h" doc:"then a message becomes a dead letter"`
	MaxBytes    Size          `env:"RETRY_MAX_BYTES" envDefault:"4GiB" min:"1" doc:"octets the queue holds; then 452"`
	MaxMessages int64         `env:"RETRY_MAX_MESSAGES" envDefault:"1000000" min:"1" doc:"messages the queue holds; then 452"`
	PublicURL   URL           `env:"PUBLIC_URL" doc:"how the world reaches HTTP_ADDR; sets up content by url"`
	Retain      time.Duration `env:"RETAIN" envDefault:"168h" doc:"how long content by url is kept after its delivery"`
	URLSecret   Secret        `env:"URL_SECRET" secret:"yes" default:"made by the store" doc:"signs those urls"`
	Keep        time.Duration `env:"KEEP" envDefault:"0s" min:"0" doc:"how long delivered mail is kept, to be sent again on request, in a quarter of RETRY_MAX_BYTES beside the queue; the oldest goes first; 0: not at all"`
	History     time.Duration `env:"HISTORY" envDefault:"72h" min:"0" doc:"how long it is kept what became of each message; 0: not at all"`
	DeadRetain  time.Duration `env:"DEAD_RETAIN" min:"0" default:"for ever" doc:"how long dead letters are kept"`
	DSNRelay    Relay         `env:"DSN_RELAY" secret:"yes" doc:"smtp://user:password@host:port that carries delivery reports; turns DSN and DELIVERBY on"`
	FailureURL  URL           `env:"FAILURE_URL" doc:"webhook told of each dead letter, signed with the unnumbered endpoint's SECRET where that has the native format"`
}

// Sender is how senders are checked.
type Sender struct {
	Authenticate      bool     `env:"AUTHENTICATE" envDefault:"true" doc:"check SPF, DKIM and DMARC of each message; false leaves authentication null"`
	DMARC             string   `env:"DMARC" oneof:"report enforce off" envDefault:"report" doc:"report the result; enforce: answer 550 to failures whose domain asks for it (p=reject); off: don't look for policies, and verify nobody"`
	DNS               List     `env:"DNS" default:"the system's" doc:"resolvers for that, host or host:port"`
	TrustedRelays     Networks `env:"TRUSTED_RELAYS" doc:"networks of MTAs in front of us: SPF is checked for the client that their Received line names"`
	TrustResultsOf    string   `env:"TRUST_RESULTS_OF" doc:"authserv-id of such an MTA whose Authentication-Results become the verdict, where they stand above its Received line"`
	TrustResultsBelow bool     `env:"TRUST_RESULTS_BELOW" envDefault:"false" doc:"that MTA writes them right below its own Received line, as OpenDKIM, OpenDMARC and rspamd have Postfix do, and Google; true only where it removes what others write in its name (RFC 8601, 5)"`
	RspamdURL         URL      `env:"RSPAMD_URL" doc:"rspamd that scores each message, such as http://127.0.0.1:11333"`
	RspamdEnforce     bool     `env:"RSPAMD_ENFORCE" envDefault:"false" doc:"obey it: reject is answered 550, soft reject and greylist 451"`
}

// Process is logs, limits and shutdown.
type Process struct {
	HTTPToken     Secret        `env:"HTTP_TOKEN" secret:"yes" doc:"bearer token of the API and the operator's page; without it they are off"`
	LogLevel      string        `env:"LOG_LEVEL" oneof:"debug info warn error" envDefault:"info" doc:"least level that is logged"`
	LogFormat     string        `env:"LOG_FORMAT" oneof:"json text" envDefault:"json" doc:"shape of the log"`
	LogAddresses  string        `env:"LOG_ADDRESSES" oneof:"full domain none" envDefault:"full" doc:"how much of mail addresses is logged"`
	Grace         time.Duration `env:"GRACE" envDefault:"60s" doc:"time that transactions have to finish at SIGTERM"`
	SpoolDir      string        `env:"SPOOL_DIR" default:"the store's own" doc:"where messages above 1 MiB, or 256 KiB where memory is short, wait while they are received"`
	SpoolMaxBytes Size          `env:"SPOOL_MAX_BYTES" default:"2GiB, or half of its disk where that is less" min:"0" doc:"octets under way at once; then 452"`
	MemoryLimit   Size          `env:"MEMORY_LIMIT" default:"the container's, else the machine's" doc:"octets that the process may have; half of it is the budget for mail, and Go's heap gets nine tenths unless GOMEMLIMIT is set"`
}

// Endpoints lists the endpoints in the order in which they are tried.
func (c *Config) Endpoints() []Webhook {
	all := append([]Webhook(nil), c.Webhooks...)
	if c.Webhook.URL != "" {
		all = append(all, c.Webhook)
	}
	return all
}
