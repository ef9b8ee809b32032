package payload

import (
	"postern/gateway/mail"
	"postern/gateway/mail/calendar"
)

func (n *nativeBody) headers(list []mail.Header) {
	n.key("headers")
	n.open('[')
	for i := range list {
		n.open('{')
		n.field("name", list[i].Name)
		n.field("value", list[i].Value)
		n.close('}')
	}
	n.close(']')
}

func (n *nativeBody) report(r *mail.Report) {
	n.key("report")
	if r == nil {
		n.null()
		return
	}
	n.open('{')
	n.field("type", string(r.Type))
	n.key("recipients")
	n.open('[')
	for _, to := range r.Recipients {
		n.open('{')
		n.field("address", to.Address)
		n.field("action", to.Action)
		n.field("status", to.Status)
		n.field("diagnostic", to.Diagnostic)
		n.field("remote_mta", to.RemoteMTA)
		n.close('}')
	}
	n.close(']')
	n.key("original")
	n.open('{')
	n.field("message_id", r.MessageID)
	n.headers(r.Headers)
	n.close('}')
	n.close('}')
}

func (n *nativeBody) calendar(list []calendar.Invitation) {
	n.key("calendar")
	n.open('[')
	for _, in := range list {
		n.open('{')
		n.field("method", in.Method)
		n.field("uid", in.UID)
		n.key("sequence")
		n.int(int64(in.Sequence))
		n.field("recurrence_id", in.RecurrenceID)
		n.field("start", in.Start)
		n.field("end", in.End)
		n.field("organizer", in.Organizer)
		n.key("attendees")
		n.open('[')
		for _, a := range in.Attendees {
			n.open('{')
			n.field("address", a.Address)
			n.field("answer", a.Answer)
			n.close('}')
		}
		n.close(']')
		n.close('}')
	}
	n.close(']')
}
