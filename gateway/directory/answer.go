package directory

import (
	"encoding/json"
	"net/mail"
	"strings"

	"postern/gateway/smtp/reply"
)

// Query is what is asked about an address.
type Query struct {
	Address  string // as given by the client
	MailFrom string // reverse-path; "" for VRFY and EXPN
	Client   string // IP address of the client, "" on a unix socket
	Hello    string // its HELO argument
}

// Answer is what the directory says of an address. Its reply is the one to give
// to the client: 250 known here, 251 forwarded to Address, 252 can't verify,
// 450 the directory can't say now, 452, 550, 551, 552, 553.
type Answer struct {
	reply.Reply
	Address  string   // the recipient: as asked, or where it was forwarded
	Name     string   // display name, for VRFY
	Members  []Member // of a list, or the candidates of an ambiguous name
	Endpoint string   // the endpoint to use, "" by pattern
}

// Member is one mailbox of a list.
type Member struct {
	Name    string `json:"name"`
	Address string `json:"address"`
}

// UnmarshalJSON reads a member that a directory tells as an object, or as text:
// "ann@in.example.com", "Ann <ann@in.example.com>".
func (m *Member) UnmarshalJSON(b []byte) error {
	var s string
	if json.Unmarshal(b, &s) != nil {
		type object Member // without this method
		return json.Unmarshal(b, (*object)(m))
	}
	*m = Member{Address: s}
	if a, err := mail.ParseAddress(s); err == nil && strings.Contains(s, "<") {
		*m = Member{Name: a.Name, Address: a.Address}
	}
	return nil
}

// Accepted reports whether mail for the address may come.
func (a Answer) Accepted() bool { return a.Code/100 == 2 }

// Forwarded reports whether the directory sent the recipient elsewhere.
func (a Answer) Forwarded() bool { return a.Code == 251 }
